import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { parseJson } from './parse.js';
import { sparse } from './sparse.js';

const table = z.strictObject({ rows: sparse<[place: number, count: number]>([9, 1000], 3) });
const tuples = z.strictObject({
  rows: z.array(z.tuple([z.int().min(0).max(9), z.int().min(0).max(1000)])).max(3),
});

test('a sparse table takes and refuses what its tuples would', () => {
  const cells = [0, 9, 10, 1000, 1001, -1, 0.5, 1e20, Number.NaN, null, '1', true, [1], {}];
  const rows: unknown[] = [null, 'ab', 7, {}, { 0: 1, 1: 2, length: 2 }, [], [1], [1, 2, 3]];
  for (const place of cells) for (const count of cells) rows.push([place, count]);
  let taken = 0;
  for (const row of rows)
    for (const value of [{ rows: [row] }, { rows: [[1, 1], row] }]) {
      const [ours, theirs] = [table.safeParse(value), tuples.safeParse(value)];
      assert.equal(ours.success, theirs.success, JSON.stringify(value));
      taken += Number(ours.success);
    }
  assert.ok(taken > 0);
  for (const value of [
    {
      rows: [
        [1, 1],
        [2, 2],
        [3, 3],
        [4, 4],
      ],
    },
    { rows: {} },
    { rows: null },
    {},
    { rows: 'ab' },
  ])
    assert.equal(table.safeParse(value).success, tuples.safeParse(value).success, JSON.stringify(value));
});

test('its refusal names the place', () => {
  assert.throws(
    () => parseJson(table, '{"rows":[[1,1],[2,1001]]}', 100, 'a report'),
    /Cannot accept a report: rows\.1\.1: must be a whole number from 0 to 1000/,
  );
  assert.throws(
    () => parseJson(table, '{"rows":[[1]]}', 100, 'a report'),
    /rows\.0: must be a list of 2 numbers/,
  );
});

test('its JSON Schema is that of its tuples', () => {
  const schemaOf = (schema: z.ZodType): unknown =>
    JSON.parse(JSON.stringify(z.toJSONSchema(schema, { io: 'input' })));
  assert.deepEqual(schemaOf(table), schemaOf(tuples));
});
