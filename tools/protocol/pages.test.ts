import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { excess } from '@adbreak/hub/fleet/bounds.js';
import { contradiction } from '@adbreak/shared/contract/contradiction.js';
import { MESSAGE_LIMIT, windowReport } from '@adbreak/shared/contract/messages.js';
import { parseJson } from '@adbreak/shared/contract/parse.js';
import { roundContradiction, roundReport } from '@adbreak/shared/contract/rounds.js';
import { ERROR_CODES } from '@adbreak/shared/errors.js';
import type { z } from 'zod';
import { examples, examplesIn, pages } from './examples.js';
import { CHANNELS, DOCUMENTED, type Documented } from './messages.js';
import { fieldsOf, tablesIn, withTables } from './tables.js';

const NAMES = Object.keys(DOCUMENTED) as Documented[];
/** Its lines are an event log's, with digests that are cut short. */
const LOG = 'rollout-events.md';

describe('the pages of the protocol', () => {
  test('have each table of fields as the schemas have them: `make schemas` writes them', () => {
    for (const [page, text] of pages()) assert.equal(text, withTables(page, text), page);
  });
  test('have one table and at least one example of each message', () => {
    const tables = [...pages().values()].flatMap(tablesIn);
    assert.deepEqual(tables.toSorted(), NAMES.toSorted());
    const shown = new Set(examples().map(({ message }) => message));
    assert.deepEqual(
      NAMES.filter((name) => !shown.has(name)),
      [],
    );
  });
  test('have no example that is of no message', () => {
    for (const { page, message, text } of examples())
      if (page !== LOG) assert.notEqual(message, null, `${page}: ${text}`);
  });
  for (const [index, { page, message, text }] of examples().entries())
    if (message !== null)
      test(`example ${index} (${message}, ${page}) is what the code takes, with every field of it`, () => {
        const schema: z.ZodType<unknown> = DOCUMENTED[message];
        const parsed = parseJson(schema, text, MESSAGE_LIMIT, message);
        assert.deepEqual(
          Object.entries(JSON.parse(text)).filter(([key]) => !(key in Object(parsed))),
          [],
        );
      });
  test('have window reports and answers to rounds that add up', () => {
    const of = (name: Documented) => examples().filter(({ message }) => message === name);
    for (const { text } of of('windowReport')) {
      const report = windowReport.parse(JSON.parse(text));
      assert.equal(contradiction(report) ?? excess(report), null);
    }
    for (const { text } of of('roundReport'))
      assert.equal(roundContradiction(roundReport.parse(JSON.parse(text)), false), null);
  });
  test('name every topic', () => {
    const whole = [...pages().values()].join('\n');
    for (const { address } of Object.values(CHANNELS)) {
      const level = address
        .replace(/^adbreak\/v1\/(devices|operators)\/\{\w+\}\//, '')
        .replace(/\{\w+\}$/, '');
      assert.ok(whole.includes(level), address);
    }
  });
  test('name codes of errors that there are', () => {
    const rows = [...pages().values()].flatMap((text) => [...text.matchAll(/^\| `([a-z]+_[a-z_]+)` +\|/gm)]);
    assert.ok(rows.length > 20);
    for (const [row, code = ''] of rows) assert.ok(Object.hasOwn(ERROR_CODES, code), row);
  });
});

describe('a table of fields', () => {
  for (const name of NAMES)
    test(`of ${name} says of each field what it means, in a sentence`, () => {
      const fields = fieldsOf(name);
      assert.ok(fields.length > 0);
      for (const [field, form, meaning] of fields)
        assert.match(meaning, /^[\S].*[.!]$/, `${name}: ${field} (${form})`);
    });
  test('tells names that are none', () => {
    assert.throws(
      () => withTables('a page', '<!-- fields: nothing -->\n<!-- end -->'),
      /a page has a table of nothing/,
    );
    assert.throws(
      () => examplesIn('a page', '<!-- example: no -->\n\n```json\n{}\n```\n'),
      /a page has an example of no/,
    );
  });
});
