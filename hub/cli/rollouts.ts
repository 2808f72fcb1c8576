import { setTimeout as sleep } from 'node:timers/promises';
import { STATUSES } from '@adbreak/shared/contract/http/rollout-view.js';
import { modelRef } from '@adbreak/shared/contract/manifest.js';
import { check } from '@adbreak/shared/contract/parse.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import type { Command } from 'commander';
import { z } from 'zod';
import { type Plan, plan } from '../rollouts/plan.js';
import { entry } from '../rollouts/rollout.js';
import { PLAN_FLAG, planFlag } from './plan.js';
import { call, print, type Remote, say, type remote as withHub } from './remote.js';
import { replayCommand } from './replay.js';

export const rolloutView = z.object({
  id: z.string(),
  model: z.string(),
  from: modelRef,
  to: modelRef,
  status: z.enum(STATUSES),
  stageName: z.string(),
  percent: z.number(),
  episodes: z.number(),
  acting: z.array(z.string()),
  members: z.array(z.string()),
  last: entry.nullable(),
  history: z.array(entry),
});
type View = z.infer<typeof rolloutView>;
const hubPlans = z.object({
  promote: z.string(),
  rollback: z.string(),
  small: z.string().nullable(),
  plans: z.array(plan),
});
const text = z.object({ text: z.string() });
const encode = encodeURIComponent;

/** `adbreak rollouts …`: start with a look at the plan, watch, ask why, order, go back, replay. */
export function rolloutCommands(program: Command, remote: typeof withHub): void {
  const rollouts = program.command('rollouts').description('rollouts and what the gate says of them');

  remote(rollouts.command('list'))
    .option('--json', 'everything, as JSON', false)
    .action(async (flags: Remote & { json: boolean }) => {
      const all = check(
        z.object({ rollouts: z.array(rolloutView) }),
        await call(flags, '/api/v1/overview'),
        'the answer of the hub',
      ).rollouts;
      if (flags.json) return print(all);
      if (all.length === 0) return say('no rollouts yet: `adbreak models promote NAME VERSION` starts one');
      for (const one of all) say(summary(one));
    });
  remote(rollouts.command('plans'))
    .description('the plans of the hub, which `--plan NAME` uses')
    .option('--json', 'everything, as JSON', false)
    .action(async (flags: Remote & { json: boolean }) => {
      const answer = await call(flags, '/api/v1/plans');
      if (flags.json) return print(answer);
      const { plans, ...unnamed } = check(hubPlans, answer, 'the answer of the hub');
      for (const one of plans) say(planLine(one, unnamed));
    });
  remote(rollouts.command('plan <model>'))
    .description(
      'before anything moves: which devices would move when, and how long each gate is expected to take',
    )
    .option('--plan <name or file>', PLAN_FLAG)
    .option('--json', 'as JSON', false)
    .action(async (model: string, flags: Remote & { plan?: string; json: boolean }) => {
      const answer = await call(flags, '/api/v1/rollouts/plan', {
        method: 'POST',
        json: { model, ...(await planFlag(flags.plan)) },
      });
      if (flags.json) print(answer);
      else say(check(text, answer, 'the answer of the hub').text);
    });
  remote(rollouts.command('explain <id>'))
    .description('why it is where it is, and what would change the verdict')
    .option('--json', 'as JSON', false)
    .action(async (id: string, flags: Remote & { json: boolean }) => {
      const answer = await call(flags, `/api/v1/rollouts/${encode(id)}/explain`);
      if (flags.json) print(answer);
      else say(check(text, answer, 'the answer of the hub').text);
    });
  remote(rollouts.command('watch <id>'))
    .description(
      'tells each decision as it comes, until the rollout is over; Ctrl-C stops watching, not the rollout',
    )
    .option('--seconds <n>', 'between two looks', Number, 2)
    .action(async (id: string, flags: Remote & { seconds: number }) => watch(id, flags));

  for (const [name, what] of [
    ['pause', 'evidence goes on, nothing advances; harm still rolls back'],
    ['resume', 'goes on after a pause, or in the shadow after a suspension'],
    ['abort', 'ends it: production acts everywhere'],
    ['approve', 'the yes that a stage waits for'],
  ] as const)
    remote(rollouts.command(`${name} <id>`))
      .description(what)
      .option('--reason <text>', 'kept in its history and the audit log', 'no reason given')
      .action(async (id: string, flags: Remote & { reason: string }) => order(id, name, flags));
  remote(rollouts.command('force <id>'))
    .description('past the gate to the next stage, by your word; needs the role admin')
    .requiredOption('--reason <text>', 'kept in its history and the audit log')
    .action(async (id: string, flags: Remote & { reason: string }) => order(id, 'force', flags));
  remote(rollouts.command('rollback <id>'))
    .description("takes a completed rollout's version back, as a rollout of the version before it")
    .requiredOption('--reason <text>', 'kept in the audit log')
    .option('--plan <name or file>', `${PLAN_FLAG}; the one named rollback where none is given`)
    .action(async (id: string, flags: Remote & { reason: string; plan?: string }) => {
      const json = { reason: flags.reason, ...(await planFlag(flags.plan)) };
      say(
        summary(
          check(
            rolloutView,
            await call(flags, `/api/v1/rollouts/${encode(id)}/rollback`, { method: 'POST', json }),
            'the answer of the hub',
          ),
        ),
      );
    });
  remote(rollouts.command('compare <model> <versions...>'))
    .description(
      'A/B: several candidates beside one production; each device runs one of them, the best that passes goes on',
    )
    .option('--plan <name or file>', PLAN_FLAG)
    .action(async (model: string, versions: string[], flags: Remote & { plan?: string }) => {
      const json = { model, versions, ...(await planFlag(flags.plan)) };
      const answer = check(
        z.object({ rollouts: z.array(rolloutView) }),
        await call(flags, '/api/v1/rollouts/compare', { method: 'POST', json }),
        'the answer of the hub',
      );
      for (const one of answer.rollouts) say(summary(one));
    });
  remote(rollouts.command('events <id>'))
    .description('its event log, for replay')
    .action(async (id: string, flags: Remote) => {
      const answer = await call(flags, `/api/v1/rollouts/${encode(id)}/events`);
      if (!Buffer.isBuffer(answer))
        throw new AdbreakError('hub_unreachable', 'The hub answered with something that is no event log');
      process.stdout.write(answer);
    });
  rollouts
    .command('replay')
    .description(
      'runs the gate over an event log: what happened and why, or what another plan would have done',
    )
    .requiredOption('--events <file>', 'JSON lines; docs/protocol/rollout-events.md')
    .option('--plan <file>', "another plan than the log's own")
    .option('--json', 'decisions as JSON lines, then a line of JSON', false)
    .action(replayCommand);
}

async function order(id: string, name: string, flags: Remote & { reason: string }): Promise<void> {
  say(
    summary(
      check(
        rolloutView,
        await call(flags, `/api/v1/rollouts/${encode(id)}/${name}`, {
          method: 'POST',
          json: { reason: flags.reason },
        }),
        'the answer of the hub',
      ),
    ),
  );
}

async function watch(id: string, flags: Remote & { seconds: number }): Promise<void> {
  let told = 0;
  let line = '';
  for (;;) {
    const one = check(
      rolloutView,
      await call(flags, `/api/v1/rollouts/${encode(id)}`),
      'the answer of the hub',
    );
    for (const past of one.history.slice(told))
      say(`${past.at}  ${past.stage}: ${past.verdict} → ${past.action}: ${toldReason(past.reason)}`);
    const now = `  ${one.status}, ${one.stageName} ${one.percent} %, ${one.episodes} episodes: ${one.last === null ? 'the gate has not looked yet' : toldReason(one.last.reason)}`;
    if (now !== line && one.history.length === told) say(now);
    [told, line] = [one.history.length, now];
    if (['completed', 'rolled-back', 'aborted', 'superseded'].includes(one.status)) return;
    await sleep(Math.max(0.2, flags.seconds) * 1000);
  }
}

/** A rollout in a line, and what the gate last said of it. */
export function summary(one: View): string {
  const head = `${one.id}  ${one.from.version} → ${one.to.version}  ${one.status}${one.status === 'running' ? ` (${one.stageName}, ${one.percent} %)` : ''}  acting on ${one.acting.length} of ${one.members.length}  ${one.episodes} episodes`;
  return one.last === null ? head : `${head}\n    ${one.last.verdict}: ${toldReason(one.last.reason)}`;
}

/** An order that says no reason names who gave it; the log keeps the words that stand for none. */
function toldReason(reason: string): string {
  return reason.replace(/: no reason given$/, '');
}

function planLine(
  { name, evidence, margin, alphaPromote, minDevices, role, stages }: Plan,
  unnamed: { promote: string; rollback: string; small: string | null },
): string {
  const proof =
    evidence === 'no-harm'
      ? 'no harm, for going back only'
      : `margin ${100 * margin} points, alpha ${alphaPromote}`;
  const used = [
    name === unnamed.promote ? 'where promote names none' : '',
    name === unnamed.small ? 'where promote names none and the fleet is smaller than that asks for' : '',
    name === unnamed.rollback ? 'where rollback names none' : '',
  ].filter(Boolean);
  const notes = [...used, ...(role === 'admin' ? ['for administrators'] : [])];
  const steps = stages.map((stage) => `${stage.name} ${stage.percent} %`).join(', ');
  return `${name}  ${proof}, ${minDevices} devices; ${steps}${notes.length === 0 ? '' : `  (${notes.join('; ')})`}`;
}
