import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onInterruption, runProgram } from '@adbreak/shared/program.js';
import { makeMaterial } from '../recurrence/material.js';
import { scan } from '../recurrence/scan.js';
import { world } from '../recurrence/world/world.js';
import { type Reel, reels } from './hour.js';
import { at, byHand, byQueue, done, ENOUGH, type Moment, STRICT } from './labeller.js';
import { type Example, examples, f1, picturesOf } from './learn.js';

/**
 * `make bench-labelling`: what a scripted labeller needs for an hour, by hand, with a model's guesses, with recurrence and
 * with both; and what a linear head learns from each in the same time. SEEDS= (l1,l2), MINUTES= (60) of one channel in two
 * recordings, SPEED= (4) by hand, SCAN= the command that finds what recurs.
 */
const ROOT = fileURLToPath(new URL('../../../..', import.meta.url));
const { env } = process;
const SCAN = (env['SCAN'] || `${process.execPath} ${join(ROOT, 'edge/dist/recurrence.js')} scan`).split(' ');
const SEEDS = (env['SEEDS'] || 'l1,l2').split(',');
const MINUTES = Number(env['MINUTES'] || 60);
const SPEED = Number(env['SPEED'] || 4);
const SPEEDS = [1, 2, 4, 8] as const;
const TEST_MINUTES = 20;
const WAYS = ['hand', 'model', 'recurrence', 'both'] as const;
type Way = (typeof WAYS)[number];
const interruption = onInterruption();
const { signal } = interruption;
const say = (line: string) => console.error(line);

async function hourOf(seed: string, minutes: number) {
  const request = { seed, channels: 1, recordings: 2, minutes };
  const cache = join(ROOT, '.work/bench-recurrence');
  const material = await makeMaterial({ world: request, distortion: null, cache, say }, signal);
  const pictures: Float32Array[][] = [];
  for (const file of material.files) pictures.push(await picturesOf(file, signal));
  return { material, pictures, own: reels(world(request), material.truth) };
}

/** Seconds of work for each hour of recordings. */
const perHour = (seconds: number) => (seconds * 60) / MINUTES;

async function measure(seed: string) {
  const { material, pictures, own } = await hourOf(seed, MINUTES);
  const { found } = await scan(SCAN, material.files, signal);
  const nothing = { spots: [], hasModel: false };
  const ways: Record<Way, Moment[]> = {
    hand: byHand(own, SPEED),
    model: byQueue(own, { ...nothing, hasModel: true }),
    recurrence: byQueue(own, { ...nothing, spots: found.spots }),
    both: byQueue(own, { spots: found.spots, hasModel: true }),
  };
  const test = await hourOf(`${seed}-test`, TEST_MINUTES);
  const known = test.own.flatMap(({ truth }, i) => examples(test.pictures[i] ?? [], truth));
  const budget = done(ways.both)?.seconds ?? 0;
  const learnt = (labels: readonly Uint8Array[]): Example[] =>
    labels.flatMap((one, i) => examples(pictures[i] ?? [], one));
  const scores = WAYS.map(
    (way) => [way, f1(learnt(at(ways[way], budget)?.labels ?? []), known, seed)] as const,
  );
  const truth = f1(learnt(own.map((reel: Reel) => reel.truth)), known, seed);
  const row = {
    seconds: fromWays((way) => perHour(done(ways[way])?.seconds ?? 0)),
    right: fromWays((way) => done(ways[way])?.right ?? 0),
    strict: fromWays((way) => perHour(done(ways[way], STRICT)?.seconds ?? 0)),
    strictRight: fromWays((way) => done(ways[way], STRICT)?.right ?? 0),
    start: ways.model[0]?.right ?? 0,
    bySpeed: SPEEDS.map((speed) => perHour(done(byHand(own, speed))?.seconds ?? 0)),
    f1: { ...Object.fromEntries(scores), truth, at_s: perHour(budget) },
  };
  say(`${seed}: ${JSON.stringify(row)}`);
  return row;
}

function fromWays(of: (way: Way) => number): Record<Way, number> {
  return { hand: of('hand'), model: of('model'), recurrence: of('recurrence'), both: of('both') };
}

await runProgram(async () => {
  const rows: Awaited<ReturnType<typeof measure>>[] = [];
  for (const seed of SEEDS) rows.push(await measure(seed));
  const mean = (of: (row: (typeof rows)[number]) => number) =>
    rows.reduce((sum, row) => sum + of(row), 0) / rows.length;
  const seconds = fromWays((way) => mean((row) => row.seconds[way]));
  const names = [...WAYS, 'truth', 'at_s'] as const;
  const result = {
    bench: 'labelling',
    hand_s: seconds.hand,
    model_s: seconds.model,
    recurrence_s: seconds.recurrence,
    both_s: seconds.both,
    ratio: seconds.both / seconds.hand,
    f1: Object.fromEntries(
      names.map((name) => [name, mean((row) => Number(new Map(Object.entries(row.f1)).get(name)))]),
    ),
    enough: ENOUGH,
    right: fromWays((way) => mean((row) => row.right[way])),
    strict: {
      enough: STRICT,
      seconds: fromWays((way) => mean((row) => row.strict[way])),
      right: fromWays((way) => mean((row) => row.strictRight[way])),
    },
    model_right_at_first: mean((row) => row.start),
    hand_s_by_speed: Object.fromEntries(
      SPEEDS.map((speed, i) => [speed, mean((row) => row.bySpeed[i] ?? 0)]),
    ),
  };
  console.log(JSON.stringify(result, (_, v) => (typeof v === 'number' ? Math.round(v * 1e4) / 1e4 : v)));
}, interruption);
