import assert from 'node:assert/strict';
import { test } from 'node:test';
import { excerpt, FPS, framesIn, type Recording, whole } from './cue.js';
import { world } from './world.js';

function grouped<T>(list: readonly T[], keyOf: (one: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const one of list) groups.set(keyOf(one), [...(groups.get(keyOf(one)) ?? []), one]);
  return groups;
}

const request = { seed: 'test', channels: 2, recordings: 2, minutes: 60 } as const;
const made = world(request);
const airings = made.flatMap((one) => one.airings.map((airing) => ({ ...airing, of: one })));

/** What is shown and heard at each frame, as text. */
function trace({ cues }: Recording, from: number, to: number): string[] {
  return excerpt(cues, from, to).map(({ item, layers, first, frames, soundFirst }) =>
    JSON.stringify([item.kind, item.seed, layers, first, frames, soundFirst ?? first]),
  );
}

test('the same request gives the same world, another seed another', () => {
  assert.deepEqual(world(request), made);
  assert.notDeepEqual(world({ ...request, seed: 'other' }), made);
});

test('recordings are as long as wanted, and what airs lies within them', () => {
  for (const { cues } of made) assert.equal(framesIn(cues), 30 * 60 * FPS);
  for (const { from, to, of } of airings) assert.ok(from >= 0 && to > from && to <= framesIn(of.cues));
});

test('all whole airings of a version show and sound the same, and no other version does', () => {
  const versions = new Map<string, string>();
  const plays = airings.filter((one) => !one.isCut && one.class !== 'replay');
  for (const { id, from, to, of } of plays) {
    const own = trace(of, from, to).join();
    assert.equal(versions.get(id) ?? own, own, id);
    versions.set(id, own);
  }
  assert.equal(new Set(versions.values()).size, versions.size);
});

test('a replay shows the same pictures to other sound, within a minute', () => {
  const replays = grouped(
    airings.filter((one) => one.class === 'replay' && !one.isCut),
    ({ id }) => id,
  );
  const pairs = [...replays.values()].filter((of) => of.length === 2);
  assert.ok(pairs.length > 3);
  for (const [play, again] of pairs) {
    assert.ok(play !== undefined && again !== undefined);
    const pictures = ({ of, from, to }: typeof play) =>
      excerpt(of.cues, from, to).map(({ item, first, frames }) => [item.seed, first, frames]);
    assert.deepEqual(pictures(again), pictures(play));
    assert.notDeepEqual(trace(again.of, again.from, again.to), trace(play.of, play.from, play.to));
    assert.ok(again.from - play.to < 60 * FPS);
  }
});

test('the world has what recurrence stumbles over', () => {
  const spots = airings.filter((one) => one.class === 'spot');
  const counts = [...grouped(spots, ({ id }) => id).values()].map((of) => of.length);
  assert.ok(Math.max(...counts) >= 8, 'some air often');
  assert.ok(counts.filter((count) => count === 1).length > 5, 'some once');
  const others = ['1', '2', '3'].flatMap((seed) => world({ ...request, seed })).flatMap((one) => one.airings);
  for (const version of ['/first', '/last', '/voice', '/card'])
    assert.ok(
      others.some(({ id }) => id.endsWith(version)),
      version,
    );
  const channelsOf = (id: string) =>
    new Set(spots.filter((one) => one.id === id).map(({ of }) => of.channel.name));
  assert.ok(
    spots.some(({ id }) => channelsOf(id).size === 2),
    'national spots',
  );
  const beds = spots.flatMap(({ of, from, to, family }) =>
    excerpt(of.cues, from, to).flatMap(({ layers }) =>
      layers
        .filter(({ kind, seed }) => kind === 'music' && seed.startsWith('bed-'))
        .map(({ seed }) => ({ seed, family })),
    ),
  );
  const families = grouped(beds, ({ seed }) => seed);
  assert.ok(
    [...families.values()].some((of) => new Set(of.map(({ family }) => family)).size > 1),
    'shared music',
  );
  assert.ok(
    airings.some((one) => one.class === 'repeat' && airings.filter(({ id }) => id === one.id).length > 1),
  );
});

test('companions always follow at once, black between', () => {
  for (const of of made)
    for (const one of of.airings.filter(
      ({ id, isCut }) => id.endsWith('-companion') && !isCut && of.airings[0]?.id !== id,
    )) {
      const before = of.airings.filter(({ to }) => to <= one.from).sort((a, b) => b.to - a.to)[0];
      assert.equal(before?.family, one.id.replace('-companion', ''));
      assert.ok(one.from > (before?.to ?? 0), 'black between');
    }
});

test('an excerpt of an excerpt is one, with the sound where it was', () => {
  const cue = { ...whole({ kind: 'ident', seconds: 4, seed: 'x' }, []), soundFirst: 7 };
  const black = whole({ kind: 'black', inBreak: true, seconds: 1, seed: '' }, []);
  assert.deepEqual(excerpt(excerpt([cue, black], 10, 120), 5, 100), excerpt([cue, black], 15, 110));
  assert.deepEqual(excerpt([cue], 10, 20), [{ ...cue, first: 10, frames: 10, soundFirst: 17 }]);
});
