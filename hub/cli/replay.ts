import { createReadStream } from 'node:fs';
import { createInterface, type Interface } from 'node:readline';
import { parseJson } from '@adbreak/shared/contract/parse.js';
import { AdbreakError, explain } from '@adbreak/shared/errors.js';
import { z } from 'zod';
import { rolloutEvent } from '../rollouts/events.js';
import { explainRollout, explanationText } from '../rollouts/explain.js';
import { rolloutEvent as firstEvent } from '../rollouts/first-gate/events.js';
import { EVENT_LIMIT, readEvents } from '../rollouts/log.js';
import { readPlan } from '../rollouts/plan.js';
import { type Replay, replay, replayFirst } from '../rollouts/replay.js';
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
  const say = (one: Decided) => console.log(json ? JSON.stringify(one) : `${one.at}  ${one.stage}: ${one.verdict} → ${one.action}: ${one.reason}`);
  if (await isOfFirstGate(events)) {
    if (plan !== undefined)
      throw new AdbreakError('input_invalid', `Cannot replay ${events} under another plan: the log is of the first gate, which knew no channels`, {
        remedy: 'Leave --plan out: it is audited as it was decided.',
      });
    const result = await readThrough(events, firstEvent, (all) => replayFirst(all, say));
    return tell(result, json, false, () => console.log('\nA log of the first gate, audited by that gate.'));
  }
  const other = plan === undefined ? null : await readPlan(plan);
  const result = await readThrough(events, rolloutEvent, (all) => replay(all, other, say));
  tell(result, json, other !== null, () => console.log(`\n${explanationOf(result)}`));
}

function explanationOf({ rollout, decisions }: Replay<Rollout, Decided>): string {
  const explanation = explainRollout(rollout, new Date(decisions.at(-1)?.at ?? rollout.startedAt));
  return explanationText({ ...explanation, sections: explanation.sections.filter(({ title }) => title !== 'So far') });
}

interface Ended {
  readonly id: string;
  readonly status: string;
  readonly plan: { readonly name: string };
}
function tell(result: Replay<Ended, Decided>, json: boolean, otherPlan: boolean, explainIt: () => void): void {
  const { rollout, decisions, recorded, firstDifference, leftOut } = result;
  const identical = recorded.length > 0 ? firstDifference === null : null;
  if (json) {
    const counts = { events: result.events, decisions: decisions.length, recorded: recorded.length, identical, leftOut };
    console.log(JSON.stringify({ replay: rollout.id, plan: rollout.plan.name, status: rollout.status, ...counts }));
  } else {
    explainIt();
    for (const line of leftOut) console.log(`left out: ${line}`);
    if (identical === true) console.log(`identical: ${decisions.length} of ${recorded.length} recorded decisions`);
    if (identical === false) console.log(`different from the recorded decisions, first at number ${(firstDifference ?? 0) + 1}`);
  }
  // Another plan may differ; the log's own must not.
  if (identical === false && !otherPlan) process.exitCode = 1;
}

/** Reads a log line by line, and fails with its path where it cannot be read. */
async function readThrough<Event, T>(path: string, schema: z.ZodType<Event>, use: (events: AsyncIterable<Event>) => Promise<T>): Promise<T> {
  const { lines, failed } = open(path);
  return await Promise.race([use(readEvents(lines, path, schema)), failed]);
}
function open(path: string): { readonly lines: Interface; readonly failed: Promise<never> } {
  const file = createReadStream(path);
  const failed = new Promise<never>((_, reject) =>
    file.once('error', (cause) =>
      reject(
        new AdbreakError('not_found', `Cannot read the events ${path}: ${explain(cause)}`, {
          cause,
          remedy: '`adbreak rollouts events ID > FILE` fetches one.',
        }),
      ),
    ),
  );
  return { lines: createInterface({ input: file, crlfDelay: Number.POSITIVE_INFINITY }), failed };
}

const startForm = z.object({ kind: z.literal('started'), gate: z.unknown().optional() });
function readJson(line: string): unknown {
  try {
    return parseJson(z.unknown(), line, EVENT_LIMIT, 'the first line');
  } catch {
    return null; // The reader of the log says what is wrong with it, by line.
  }
}

/** The first gate's logs begin without the number of a gate. */
async function isOfFirstGate(path: string): Promise<boolean> {
  const { lines, failed } = open(path);
  const first = async () => {
    for await (const line of lines) if (line.trim() !== '') return line;
    return '';
  };
  const line = await Promise.race([first(), failed]);
  lines.close();
  // Parsed for good below; here only which of the two forms it is, however a hand has spaced it.
  const form = startForm.safeParse(readJson(line));
  return form.success && form.data.gate === undefined;
}
