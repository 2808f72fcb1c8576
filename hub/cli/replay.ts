import { createReadStream } from 'node:fs';
import { createInterface, type Interface } from 'node:readline';
import { AdbreakError, explain } from '@adbreak/shared/errors.js';
import type { z } from 'zod';
import { rolloutEvent } from '../rollouts/events.js';
import { rolloutEvent as firstEvent } from '../rollouts/first-gate/events.js';
import { isOfFirstGate, readEvents } from '../rollouts/log/log-file.js';
import { type Replay, replay, replayFirst } from '../rollouts/log/replay.js';
import { readPlan } from '../rollouts/plan.js';
import { explainRollout, explanationText } from '../rollouts/report/explain.js';
import type { Rollout } from '../rollouts/rollout.js';

interface Flags {
  readonly events: string;
  readonly plan?: string;
  readonly json: boolean;
}
interface Decided {
  readonly at: string;
  readonly stage: string;
  readonly verdict: string;
  readonly action: string;
  readonly reason: string;
}

/** `adbreak rollouts replay`: what happened and why, or what another plan would have done. Logs of the first gate are audited by that gate. */
export async function replayCommand({ events, plan, json }: Flags): Promise<void> {
  const say = (one: Decided) =>
    console.log(
      json ? JSON.stringify(one) : `${one.at}  ${one.stage}: ${one.verdict} → ${one.action}: ${one.reason}`,
    );
  const first = await isOfFirstGate(events).catch((cause: unknown) => {
    throw unreadable(events, cause);
  });
  if (first) {
    if (plan !== undefined)
      throw new AdbreakError(
        'input_invalid',
        `Cannot replay ${events} under another plan: the log is of the first gate, which knew no channels`,
        {
          remedy: 'Leave --plan out: it is audited as it was decided.',
        },
      );
    const result = await readThrough(events, firstEvent, (all) => replayFirst(all, say));
    return tell(result, json, false, () => console.log('\nA log of the first gate, audited by that gate.'));
  }
  const other = plan === undefined ? null : await readPlan(plan);
  const result = await readThrough(events, rolloutEvent, (all) => replay(all, other, say));
  tell(result, json, other !== null, () => console.log(`\n${explanationOf(result)}`));
}

function explanationOf({ rollout, decisions }: Replay<Rollout, Decided>): string {
  const explanation = explainRollout(rollout, new Date(decisions.at(-1)?.at ?? rollout.startedAt));
  return explanationText({
    ...explanation,
    sections: explanation.sections.filter(({ title }) => title !== 'So far'),
  });
}

interface Ended {
  readonly id: string;
  readonly status: string;
  readonly plan: { readonly name: string };
}
function tell(
  result: Replay<Ended, Decided>,
  json: boolean,
  otherPlan: boolean,
  explainIt: () => void,
): void {
  const { rollout, decisions, recorded, firstDifference, leftOut } = result;
  const identical = recorded.length > 0 ? firstDifference === null : null;
  if (json) {
    const counts = {
      events: result.events,
      decisions: decisions.length,
      recorded: recorded.length,
      identical,
      leftOut,
    };
    console.log(
      JSON.stringify({ replay: rollout.id, plan: rollout.plan.name, status: rollout.status, ...counts }),
    );
  } else {
    explainIt();
    for (const line of leftOut) console.log(`left out: ${line}`);
    if (identical === true)
      console.log(`identical: ${decisions.length} of ${recorded.length} recorded decisions`);
    if (identical === false)
      console.log(`different from the recorded decisions, first at number ${(firstDifference ?? 0) + 1}`);
  }
  // Another plan may differ; the log's own must not.
  if (identical === false && !otherPlan) process.exitCode = 1;
}

/** Reads a log line by line, and fails with its path where it cannot be read. */
async function readThrough<Event, T>(
  path: string,
  schema: z.ZodType<Event>,
  use: (events: AsyncIterable<Event>) => Promise<T>,
): Promise<T> {
  const { lines, failed } = open(path);
  return await Promise.race([use(readEvents(lines, path, schema)), failed]);
}
function open(path: string): { readonly lines: Interface; readonly failed: Promise<never> } {
  const file = createReadStream(path);
  const failed = new Promise<never>((_, reject) =>
    file.once('error', (cause) => reject(unreadable(path, cause))),
  );
  return { lines: createInterface({ input: file, crlfDelay: Number.POSITIVE_INFINITY }), failed };
}
function unreadable(path: string, cause: unknown): AdbreakError {
  return new AdbreakError('not_found', `Cannot read the events ${path}: ${explain(cause)}`, {
    cause,
    remedy: '`adbreak rollouts events ID > FILE` fetches one.',
  });
}
