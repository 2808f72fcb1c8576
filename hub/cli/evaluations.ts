import { check } from '@adbreak/shared/contract/parse.js';
import type { Command } from 'commander';
import { z } from 'zod';
import { call, print, type Remote, say, type remote as withHub } from './remote.js';

const view = z.object({
  id: z.string(),
  model: z.string(),
  status: z.string(),
  started: z.string(),
  asked: z.array(z.string()),
  answered: z.array(z.string()),
  result: z.object({
    answered: z.number(),
    inconclusive: z.boolean(),
    difference: z.object({ value: z.number(), low: z.number(), high: z.number() }).nullable(),
  }),
});

interface StartFlags extends Remote {
  model: string;
  candidate: string;
  against?: string;
  site?: string[];
  channel?: string[];
  hardware?: string[];
  quorum: number;
  deadline: number;
  minDevices: number;
  secure: boolean;
  epsilon?: number;
}

/** `adbreak evaluations …`: two versions on the devices' own labelled frames, which stay where they are. */
export function evaluationCommands(program: Command, remote: typeof withHub): void {
  const evaluations = program
    .command('evaluations')
    .description("federated rounds: two versions on the devices' own labelled reservoirs");
  remote(evaluations.command('start'))
    .requiredOption('--model <name>', 'model')
    .requiredOption('--candidate <version>', 'version to evaluate')
    .option('--against <version>', 'another version than production')
    .option('--site <names...>', 'devices of these sites only')
    .option('--channel <names...>', 'devices of these channels only')
    .option('--hardware <names...>', 'devices of this hardware only')
    .option('--quorum <n>', 'devices that must answer', Number, 10)
    .option('--deadline <hours>', 'hours until it closes with who has answered', Number, 24)
    .option(
      '--min-devices <n>',
      'a cell of the result is shown only with so many devices behind it',
      Number,
      10,
    )
    .option('--secure', 'the hub learns the sum alone: pairwise masks', false)
    .option('--epsilon <n>', 'discrete Laplace noise of scale 1/epsilon on every count', Number)
    .action(async (flags: StartFlags) => {
      const where = {
        ...(flags.site && { site: flags.site }),
        ...(flags.channel && { channel: flags.channel }),
        ...(flags.hardware && { hardware: flags.hardware }),
      };
      const json = {
        model: flags.model,
        candidate: flags.candidate,
        ...(flags.against !== undefined && { against: flags.against }),
        ...(Object.keys(where).length > 0 && { where }),
        quorum: flags.quorum,
        hours: flags.deadline,
        min_devices: flags.minDevices,
        secure: flags.secure,
        epsilon: flags.epsilon ?? null,
      };
      const { id, asked } = check(
        view,
        await call(flags, '/api/v1/evaluations', { method: 'POST', json }),
        'the answer of the hub',
      );
      say(`${id}: ${asked.length} devices are asked; \`adbreak evaluations show ${id}\``);
    });
  remote(evaluations.command('list')).action(async (flags: Remote) => {
    const all = check(
      z.object({ evaluations: z.array(view) }),
      await call(flags, '/api/v1/evaluations'),
      'the answer of the hub',
    ).evaluations;
    for (const { id, model, status, started, asked, result } of all) {
      const d = result.difference;
      say(
        `${id}  ${started}  ${model}  ${status}  ${result.answered} of ${asked.length} answered  ${d === null ? (result.inconclusive ? 'inconclusive' : '') : `${(100 * d.value).toFixed(1)} points (${(100 * d.low).toFixed(1)} to ${(100 * d.high).toFixed(1)})`}`,
      );
    }
    if (all.length === 0) say('no rounds yet: `adbreak evaluations start` begins one');
  });
  remote(evaluations.command('show <id>'))
    .option('--json', 'as JSON', false)
    .action(async (id: string, flags: Remote & { json: boolean }) => {
      const answer = await call(flags, `/api/v1/evaluations/${encodeURIComponent(id)}`);
      if (flags.json) print(answer);
      else say(check(z.object({ text: z.string() }), answer, 'the answer of the hub').text);
    });
  remote(evaluations.command('cancel <id>')).action(async (id: string, flags: Remote) =>
    print(await call(flags, `/api/v1/evaluations/${encodeURIComponent(id)}/cancel`, { method: 'POST' })),
  );
}
