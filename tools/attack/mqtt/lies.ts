import { report } from '@adbreak/hub/rollouts/fixtures.js';
import { connectDevice, type Identity } from '@adbreak/hub/testing/killed.js';
import type { WindowReport } from '@adbreak/shared/contract/messages.js';
import { topicOf } from '@adbreak/shared/contract/topics.js';
import { tinyRelease } from '@adbreak/shared/testing/tiny-model.js';
import { until } from '@adbreak/shared/testing/until.js';
import type { MqttClient } from 'mqtt';
import { z } from 'zod';
import type { Attack } from '../attack.js';
import type { Ground, Rogue } from '../ground.js';

const heard = z.object({ refusal: z.object({ code: z.string(), message: z.string() }).optional() });
const PAIR = {
  production: tinyRelease('1.0.0').manifest.digest,
  candidate: tinyRelease('2.0.0').manifest.digest,
};
const MINUTE = 60_000;
/** All rows speak of the same minutes, whenever they are tried. */
const NOW = Math.floor(Date.now() / MINUTE) * MINUTE;
const at = (minutes: number) => new Date(NOW + minutes * MINUTE).toISOString();

/** The minute before the last one, told honestly. */
export function honest(
  sequence: number,
  from = -3,
  counts = { wins: 1, losses: 1, agreed: 8 },
): WindowReport {
  const time = { start: at(from), end: at(from + 1) };
  return report(sequence, 0, counts, { rollout: null, stream: '0123456789abcdef', ...PAIR, ...time });
}

type Lie = readonly [what: string, why: string, tell: (truth: WindowReport) => unknown];
/**
 * Each tells the minute after the one that was taken; all that is not said here is true. `why` is a part of
 * what the hub says of it: a lie that is refused for another reason is none.
 */
const LIES: readonly Lie[] = [
  [
    'a window that ends before it begins',
    'ends before it starts',
    (truth) => ({ ...truth, start: at(-1), end: at(-2) }),
  ],
  [
    'a window of 46 days',
    'longer than any agent makes one',
    (truth) => ({ ...truth, start: at(-46 * 24 * 60) }),
  ],
  [
    'a window of before its enrolment',
    'this device was enrolled at',
    (truth) => ({ ...truth, start: at(-3 * 24 * 60), end: at(-3 * 24 * 60 + 1) }),
  ],
  [
    'a window of tomorrow, by a clock that is right',
    "as the device's does now",
    (truth) => ({ ...truth, start: at(24 * 60), end: at(24 * 60 + 1) }),
  ],
  [
    'time that it told before',
    'what came before it reaches until',
    (truth) => ({ ...truth, start: at(-5), end: at(-4) }),
  ],
  [
    'a longer window around one that it told',
    'what came before it reaches until',
    (truth) => ({ ...truth, start: at(-60) }),
  ],
  [
    'the same window again, with more episodes than both have time for',
    '67 episodes in 60 s',
    (truth) => ({ ...honest(truth.sequence, -3, { wins: 1, losses: 1, agreed: 55 }) }),
  ],
  [
    'more episodes than seconds',
    '61 episodes in 60 s',
    (truth) => honest(truth.sequence, -2, { wins: 1, losses: 1, agreed: 59 }),
  ],
  [
    'a time of 60,000 digits',
    'start',
    (truth) => ({ ...truth, start: `2026-01-01T00:00:00.${'0'.repeat(60_000)}Z` }),
  ],
  ['a billion frames', '1000000000 frames in', (truth) => ({ ...truth, frames: 1e9 })],
  [
    'a billion frames of advertisements',
    'frames of advertisements in',
    (truth) => ({ ...truth, adFrames: 1e9 }),
  ],
  [
    'a billion inferences',
    '1000000000 inferences',
    (truth) => ({ ...truth, latency: { production: [[3, 1e9]], candidate: [] } }),
  ],
  [
    'a million inferences in many buckets',
    '1280000 inferences',
    (truth) => ({
      ...truth,
      latency: { production: Array.from({ length: 64 }, (_, i) => [i, 20_000]), candidate: [] },
    }),
  ],
  [
    'one bucket of the latency twice',
    'a bucket of the latency comes twice',
    (truth) => ({
      ...truth,
      latency: {
        production: [
          [3, 1],
          [3, 1],
        ],
        candidate: [],
      },
    }),
  ],
  [
    'one bin of the histogram twice',
    'a bin of the histogram comes twice',
    (truth) => ({
      ...truth,
      histograms: {
        ...truth.histograms,
        production: {
          bins: [
            [25, 5],
            [25, 5],
          ],
          sum: 255 / 256,
        },
      },
    }),
  ],
  [
    'one pair of tenths twice',
    'a pair of tenths comes twice',
    (truth) => ({
      ...truth,
      jointConfidence: [
        [1, 1, 1],
        [1, 1, 1],
      ],
    }),
  ],
  [
    'a histogram of other episodes',
    'the histogram holds 3 episodes',
    (truth) => ({ ...truth, histograms: { ...truth.histograms, production: { bins: [[25, 3]], sum: 0.3 } } }),
  ],
  [
    'a sum that its bins do not have',
    'does not fit its bins',
    (truth) => ({
      ...truth,
      histograms: { ...truth.histograms, production: { ...truth.histograms.production, sum: 9 } },
    }),
  ],
  [
    'a joint table of other episodes',
    'the joint table holds 802',
    (truth) => ({
      ...truth,
      joint: [
        [800, 2],
        [0, 0],
      ],
    }),
  ],
  [
    'a joint table of other votes',
    'are not those of the histograms',
    (truth) => ({
      ...truth,
      joint: [
        [0, 2],
        [8, 0],
      ],
    }),
  ],
  ['a joint table without a candidate', 'must come together', (truth) => ({ ...truth, candidate: null })],
  [
    'more wins than disagreements',
    'more wins and losses than',
    (truth) => ({ ...truth, labelled: { ...truth.labelled, episodes: 9, wins: 9, candidateRight: 9 } }),
  ],
  [
    'more labels than episodes',
    '99 of 10 episodes are labelled',
    (truth) => ({ ...truth, labelled: { ...truth.labelled, episodes: 99 } }),
  ],
  [
    'wins that nobody was right about',
    'do not fit who was right',
    (truth) => ({ ...truth, labelled: { ...truth.labelled, candidateRight: 0 } }),
  ],
  [
    'more draws than disagreements',
    '9 of 2 disagreements',
    (truth) => ({ ...truth, draws: { rate: 1, drawn: 9, wins: 1, losses: 1 } }),
  ],
  [
    'a rate that is no power of one half',
    'draws.rate',
    (truth) => ({ ...truth, draws: { rate: 0.3, drawn: 2, wins: 1, losses: 1 } }),
  ],
  [
    'draws that it kept to itself',
    'every disagreement is drawn',
    (truth) => ({ ...truth, draws: { rate: 1, drawn: 1, wins: 1, losses: 0 } }),
  ],
  [
    'answers to windows that are not over',
    'a window that had not ended',
    (truth) => ({ ...truth, answers: [{ start: at(0), wins: 1, losses: 0 }] }),
  ],
  [
    'answers to one window twice',
    'draws of one window twice',
    (truth) => ({ ...truth, answers: [-9, -9].map((from) => ({ start: at(from), wins: 1, losses: 0 })) }),
  ],
  [
    'more control answers than items',
    'more control answers',
    (truth) => ({ ...truth, control: { asked: 1, answered: 2, wrong: 0 } }),
  ],
  [
    'a production that nobody registered',
    'its production is 999',
    (truth) => ({ ...truth, production: '9'.repeat(64) }),
  ],
  [
    'a candidate that nobody registered',
    'its candidate is 999',
    (truth) => ({ ...truth, candidate: '9'.repeat(64) }),
  ],
  [
    'a rollout that there is none',
    'there is no rollout constructor',
    (truth) => ({ ...truth, rollout: 'constructor' }),
  ],
  ['a count below zero', 'restarts', (truth) => ({ ...truth, restarts: -1 })],
  ['a count beyond all counts', 'dropped', (truth) => ({ ...truth, dropped: 1e9 + 1 })],
  ['half an episode', 'waiting', (truth) => ({ ...truth, waiting: 0.5 })],
  ['number zero', 'sequence', (truth) => ({ ...truth, sequence: 0 })],
  ['a number beyond whole numbers', 'sequence', (truth) => ({ ...truth, sequence: 2 ** 60 })],
  ['a stream of another alphabet', 'stream', (truth) => ({ ...truth, stream: '__proto__' })],
  [
    'a channel with control characters',
    'slice.channel',
    (truth) => ({ ...truth, slice: { ...truth.slice, channel: 'one\u0000' } }),
  ],
  ['a key that no report has', 'picture', (truth) => ({ ...truth, picture: 'base64' })],
  [
    'a list of places without an end',
    'jointConfidence',
    (truth) => ({ ...truth, jointConfidence: Array.from({ length: 5000 }, () => [0, 0, 0]) }),
  ],
];

/** Bytes as they come, for what no object can hold. */
const TEXTS: readonly (readonly [what: string, why: string, tell: (truth: string) => string | Buffer])[] = [
  ['`__proto__` as a key', '__proto__', (truth) => truth.replace('{', '{"__proto__":{"episodes":1},')],
  [
    '`constructor` as a key',
    'constructor',
    (truth) => truth.replace('{', '{"constructor":{"prototype":{}},'),
  ],
  [
    '`__proto__` as the slice',
    '__proto__',
    (truth) => truth.replace('"slice":{', '"slice":{"__proto__":{"channel":"x"},'),
  ],
  ['text that is no JSON', 'not JSON', () => 'window'],
  ['bytes that are no text', 'not JSON', () => Buffer.of(0x7b, 0xff, 0xfe, 0x7d)],
  ['nothing', 'not JSON', () => ''],
  ['null', 'it is null', () => 'null'],
  ['a list of 30,000 lists', 'it is a list', () => '['.repeat(30_000) + ']'.repeat(30_000)],
  [
    'a number of 60,000 digits',
    'frames',
    (truth) => truth.replace(/"frames":\d+/, `"frames":${'9'.repeat(60_000)}`),
  ],
];

/** A device's own way in; what it last heard of refused reports. */
async function session(ground: Ground, rogue: Rogue) {
  const client = connectDevice(rogue.identity satisfies Identity, ground.hub);
  rogue.after(() => client.end(true));
  let refused: z.infer<typeof heard>['refusal'];
  client.on('message', (_, payload) => {
    refused = heard.parse(JSON.parse(payload.toString())).refusal;
  });
  await until('it is connected', () => client.connected);
  await client.subscribeAsync(topicOf(rogue.device, 'desired'), { qos: 1 });
  return { client, refusal: () => until('it hears why', () => refused) };
}
async function say(
  client: MqttClient,
  rogue: Rogue,
  kind: 'windows' | 'status',
  payload: string | Buffer,
): Promise<void> {
  await client.publishAsync(topicOf(rogue.device, kind), payload, { qos: 1 });
}
const clockSays = (instant: string) => JSON.stringify({ online: true, agent: 'rogue', at: instant });

async function tellTheTruth(ground: Ground, rogue: Rogue): Promise<void> {
  const { client } = await session(ground, rogue);
  await say(client, rogue, 'status', clockSays(new Date().toISOString()));
  await say(client, rogue, 'windows', JSON.stringify(honest(1)));
  await client.endAsync();
}
function lie(what: string, why: string, payload: () => string | Buffer): Attack {
  return {
    name: `reports ${what}`,
    refused: 'input_invalid',
    prepare: tellTheTruth,
    attempt: async (ground, rogue) => {
      const { client, refusal } = await session(ground, rogue);
      await say(client, rogue, 'status', clockSays(new Date().toISOString()));
      await say(client, rogue, 'windows', payload());
      const { code, message } = await refusal();
      if (!message.includes(why)) throw new Error(`it was refused for another reason: ${message}`);
      return { code };
    },
  };
}

export const LYING: readonly Attack[] = [
  ...LIES.map(([what, why, tell]) => lie(what, why, () => JSON.stringify(tell(honest(2, -2))))),
  ...TEXTS.map(([what, why, tell]) => lie(what, why, () => tell(JSON.stringify(honest(2, -2))))),
  {
    name: 'reports a window of tomorrow, by a clock that is a day ahead',
    refused: 'conflict',
    prepare: tellTheTruth,
    attempt: async (ground, rogue) => {
      const { client } = await session(ground, rogue);
      await say(client, rogue, 'status', clockSays(at(24 * 60)));
      const window = { ...honest(2), start: at(24 * 60 - 2), end: at(24 * 60 - 1) };
      const closed = new Promise<void>((resolve) => client.once('close', () => resolve()));
      const taken = say(client, rogue, 'windows', JSON.stringify(window)).then(
        () => true,
        () => false,
      );
      if (await Promise.race([taken, closed.then(() => false)])) throw new Error('it was acknowledged');
      const { refusal } = await session(ground, rogue);
      return { code: (await refusal()).code };
    },
  },
];
