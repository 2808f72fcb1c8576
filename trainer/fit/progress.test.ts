import assert from 'node:assert/strict';
import { test } from 'node:test';
import { progressOf } from './progress.js';

/** The lines of work that takes so many seconds, a picture in each tenth of one. */
function linesOf(seconds: number): string[] {
  const lines: string[] = [];
  let now = 0;
  const progress = progressOf(
    'features',
    seconds * 10,
    (line) => lines.push(line),
    () => now,
  );
  for (let picture = 0; picture < seconds * 10; picture++) {
    now += 100;
    progress.advance();
  }
  progress.end();
  return lines;
}

test('work of a minute is told every few seconds, of an hour in some hundred lines, and its end in any case', () => {
  assert.equal(linesOf(1).length, 1);
  const minute = linesOf(60);
  assert.equal(minute[0], '  features: 20 of 600, 10 a second, 58 s left');
  assert.ok(minute.length >= 15 && minute.length <= 30, `${minute.length} lines`);
  const hour = linesOf(3600);
  assert.ok(hour.length >= 100 && hour.length <= 170, `${hour.length} lines`);
  assert.equal(hour.at(-1), '  features: 36,000 of 36,000, 10 a second');
});
