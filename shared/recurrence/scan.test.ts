import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Scan } from './scan.js';
import { type Material, material, type Tape, tape } from './testing.js';

/** Tells recordings in portions; gives what was found. */
function scanned(...tapes: readonly Tape[]) {
  const scan = new Scan(tapes.reduce((sum, { seconds }) => sum + seconds + 600, 0));
  tapes.forEach(({ pictures, sounds, seconds }, i) => {
    scan.begin(`tape ${i + 1}`);
    let [picture, sound] = [0, 0];
    for (let until = 2; until < seconds + 2; until += 2) {
      const [fromPicture, fromSound] = [picture, sound];
      while ((pictures[picture]?.time ?? until) < until) picture++;
      while ((sounds[sound]?.time ?? until) < until) sound++;
      scan.push({
        pictures: pictures.slice(fromPicture, picture),
        sounds: sounds.slice(fromSound, sound),
        until,
        leftOut: 0,
      });
    }
  });
  return scan.end();
}

const programme = (seed: string) => material(`programme ${seed}`, 150);
const spot = (seed: string, seconds = 15) => material(`spot ${seed}`, seconds);
const GAP = 0.4;
/** Spots with black and silence around and between them. */
const inBreak = (...spots: readonly Material[]) => [GAP, ...spots.flatMap((one) => [one, GAP])];
const places = ({ recurrence }: ReturnType<typeof scanned>) =>
  recurrence.spots.map((one) => [
    one.class,
    ...one.airings.map(({ start, end, recording }) => `${recording} ${start.toFixed(1)}-${end.toFixed(1)}`),
  ]);

describe('a scan', () => {
  test('tells spots that air together apart at the gap between them, and where they air to the picture', () => {
    const pair = [spot('a'), spot('b', 20)] as const;
    const found = scanned(
      tape([programme('1'), ...inBreak(spot('x'), ...pair, spot('y')), programme('2')]),
      tape([programme('3'), ...inBreak(spot('z'), ...pair, spot('w')), programme('4')]),
    );
    assert.deepEqual(places(found), [
      ['spot', 'tape 1 165.8-180.8', 'tape 2 165.8-180.8'],
      ['spot', 'tape 1 181.2-201.2', 'tape 2 181.2-201.2'],
    ]);
    assert.deepEqual(
      found.breaks.map(({ start, end }) => `${start.toFixed(1)}-${end.toFixed(1)}`),
      ['150.4-216.6', '150.4-216.6'],
    );
  });

  test('tells spots apart that follow each other by a cut, where each airs with others, too', () => {
    const [a, b, c] = [spot('a'), spot('b'), spot('c')];
    const found = scanned(
      tape([
        programme('1'),
        a,
        b,
        programme('2'),
        a,
        c,
        programme('3'),
        b,
        a,
        programme('4'),
        a,
        b,
        programme('5'),
      ]),
    );
    const lengths = found.recurrence.spots.map(({ airings }) => airings.length).sort();
    assert.deepEqual(lengths, [3, 4]);
    for (const { airings } of found.recurrence.spots)
      for (const { start, end } of airings) assert.ok(Math.abs(end - start - 15) < 0.05, `${start}-${end}`);
  });

  test('takes a shorter cut for the same spot', () => {
    const long = spot('long', 30);
    const short = { pictures: long.pictures.slice(0, 12 * 25), sounds: long.sounds.slice(0, 12 * 16) };
    const found = scanned(
      tape([
        programme('1'),
        ...inBreak(spot('x'), long, spot('y')),
        programme('2'),
        ...inBreak(short, spot('z')),
        programme('3'),
        ...inBreak(spot('v'), long),
        programme('4'),
      ]),
    );
    const lengths = found.recurrence.spots.map(({ airings }) =>
      airings.map(({ start, end }) => Math.round(end - start)),
    );
    assert.deepEqual(lengths, [[30, 12, 30]]);
  });

  test("knows the channel's own by its place, a repeat by its length, a replay by its sound", () => {
    const trailer = spot('trailer', 14);
    const [a, b, c] = [spot('a'), spot('b'), spot('c')];
    const old = material('an old film', 200);
    const scene = material('a goal', 12);
    const replay = { ...scene, sounds: material('again', 12).sounds };
    const found = scanned(
      tape([
        ...[programme('1'), trailer, ...inBreak(a, b, c), programme('2'), scene, programme('3'), replay],
        ...[
          programme('4'),
          trailer,
          ...inBreak(b, spot('once'), a),
          old,
          trailer,
          ...inBreak(c, a, b),
          programme('5'),
        ],
      ]),
      tape([programme('6'), old, programme('7')]),
    );
    const classes = found.recurrence.spots.map((one) => `${one.class} ${one.airings.length}`).sort();
    assert.deepEqual(classes, ['repeat 2', 'replay 2', 'spot 2', 'spot 3', 'spot 3', 'trailer 3']);
    for (const { why } of found.recurrence.spots) assert.match(why, /^\d+ airings of \d+ s/);
  });

  test('finds nothing in nothing, and needs no recording', () => {
    assert.deepEqual(new Scan(10).end(), { recurrence: { spots: [] }, breaks: [], gaps: [] });
    assert.deepEqual(scanned(tape([programme('1')])).recurrence.spots, []);
    assert.deepEqual(scanned(tape([])).recurrence.spots, []);
    assert.throws(
      () => new Scan(10).push({ pictures: [], sounds: [], until: 1, leftOut: 0 }),
      /no recording has begun/,
    );
  });

  test('takes a spot that airs hundreds of times', () => {
    const short = spot('short', 6);
    const pieces = Array.from({ length: 400 }, (_, i) => [material(`filler ${i}`, 7), short]).flat();
    const started = performance.now();
    const [only, ...more] = scanned(tape(pieces)).recurrence.spots;
    assert.equal(more.length, 0);
    assert.ok((only?.airings.length ?? 0) >= 395, `${only?.airings.length} airings`);
    assert.ok(performance.now() - started < 60_000);
  });
});
