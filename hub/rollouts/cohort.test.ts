import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { cohort, type Member, reaches } from './cohort.js';

const member = (id: string, channel = 'one'): Member => ({
  id,
  slice: { channel, site: 'home', hardware: 'pi5' },
  tags: {},
});
const members = (n: number, channel = 'one') =>
  Array.from({ length: n }, (_, i) => member(`${channel}-${i}`, channel));

describe('cohorts', () => {
  test('grow monotonically: the 10 % stay in the 50 %', () => {
    let acting = new Set<string>();
    for (const [percent, size] of [
      [10, 4],
      [50, 20],
      [100, 40],
    ] as const) {
      const next = cohort('r', members(40), percent, acting);
      assert.equal(next.size, size);
      for (const one of acting) assert.ok(next.has(one));
      assert.deepEqual(
        next,
        new Set([...acting, ...cohort('r', members(40), percent)]),
        'and are the same without memory of who acted',
      );
      acting = next;
    }
  });
  test('differ between rollouts, hold at least one device, and none in shadow', () => {
    assert.notDeepEqual(cohort('r', members(40), 10), cohort('s', members(40), 10));
    assert.equal(cohort('r', members(1), 1).size, 1);
    assert.equal(cohort('r', members(40), 0).size, 0);
  });
  test('take their share of every slice', () => {
    const all = [...members(30, 'one'), ...members(20, 'sports'), ...members(10, 'kino')];
    const chosen = [...cohort('r', all, 10)];
    assert.deepEqual(
      ['one', 'sports', 'kino'].map((channel) => chosen.filter((id) => id.startsWith(channel)).length),
      [3, 2, 1],
    );
  });
  test('of slices with one device each are the share of all, not all', () => {
    const all = Array.from({ length: 20 }, (_, i) => member(`pi-${i}`, `channel-${i}`));
    assert.equal(cohort('r', all, 10).size, 2);
  });
  test('push nobody out when devices come and go', () => {
    const acting = cohort('r', members(20), 25);
    assert.equal(acting.size, 5);
    const grown = cohort('r', [...members(20), ...members(3, 'sports')], 25, acting);
    for (const one of acting) assert.ok(grown.has(one));
    const shrunk = members(20).filter(({ id }) => acting.has(id) || Number(id.slice(4)) % 2 === 0);
    const kept = cohort('r', shrunk, 25, acting);
    for (const one of acting) assert.ok(kept.has(one));
  });
});

test('a stage reaches devices by channel, site, hardware and tags', () => {
  const one = { ...member('pi'), tags: { ring: 'early' } };
  assert.ok(reaches(undefined, one));
  assert.ok(reaches({ channel: ['one', 'two'], tags: { ring: 'early' } }, one));
  assert.ok(!reaches({ channel: ['two'] }, one));
  assert.ok(!reaches({ tags: { ring: 'late' } }, one));
  assert.ok(
    !reaches({ site: ['home'] }, { ...one, slice: null }),
    'who has not said where it is, is not reached',
  );
});
