import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lastLine, timed } from './command.js';
import { median, tableOf, trainResult } from './result.js';

const told = { say: () => undefined, signal: new AbortController().signal };
const script = (code: string) => [process.execPath, '-e', code];

test('a program is timed from its start to its end, with the processor time of all it started', async () => {
  const busy = 'const end = Date.now() + 300; while (Date.now() < end);';
  const inside = `require('child_process').execFileSync(process.execPath, ['-e', ${JSON.stringify(busy)}]);`;
  const ended = await timed(script(`${inside} console.log('a line'); console.log('{"n":1}')`), told);
  assert.deepEqual(lastLine(ended), { n: 1 });
  assert.ok(ended.seconds >= 0.3, `${ended.seconds} s`);
  assert.ok(ended.cpuSeconds > 0.05, `${ended.cpuSeconds} s of processor time`);
});

test('a program that fails is an error with its last words', async () => {
  const failing = timed(script("console.error('no such thing'); process.exit(3)"), told);
  await assert.rejects(failing, /ended with 3:\nno such thing/);
});

test('an interruption ends the program that is measured', async () => {
  const stop = new AbortController();
  const endless = timed(script('console.log(process.pid); setInterval(() => {}, 1000)'), {
    signal: stop.signal,
    say: () => stop.abort(),
  });
  await assert.rejects(endless, { name: 'AbortError' });
});

test('the median of an even number is the mean of the two in the middle', () => {
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1, 3, 2]), 2.5);
});

test('the table has a row for what was measured, and none for what ONLY= left out', () => {
  const result = trainResult.parse({
    ...{
      bench: 'train',
      frozen: null,
      second_run: null,
      second_run_s: null,
      rounds: 1,
      threads: 2,
      cores: 2,
    },
    ...{ load_before: 1, load_after: 1, node: 'v20', seconds: 9 },
    step: { ours_s: 12, keras_s: 6, ratio: 2, batch: 32, ours_batch: 8, steps: 2, backend: 'wasm' },
  });
  const rows = tableOf(result).split('\n');
  assert.equal(rows.length, 2);
  assert.match(rows[1] ?? '', /batch 32 \(wasm\) +12\.00 +6\.00 +2\.000/);
});
