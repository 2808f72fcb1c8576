import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Beacon } from './beacon.js';
import { LogTail } from './log-tail.js';

const NOW = new Date('2026-01-01T12:00:00.000Z');

test('a log tells no token, no password and no key of an address, and is one line for each', () => {
  const tail = new LogTail();
  tail.add('source lost: rtsp://me:word@camera/1?key=abc&x=1 and http://h/p?token=t', NOW);
  tail.add('adbreak_claim_0123 Bearer abc.def\nsecond \x1b[31mline', NOW);
  const { lines } = tail.last(10, 10_000);
  assert.equal(lines.length, 2);
  const text = lines.join(' ');
  for (const secret of ['word', 'abc', 'token=t', '0123', '\n', '\x1b'])
    assert.ok(!text.includes(secret), secret);
  assert.match(text, /rtsp:\/\/\[secret\]@camera\/1\?\[secret\] and http:\/\/h\/p\?\[secret\]/);
});

test('the last lines are given, as many as there is room for, and it is said where older ones had none', () => {
  const tail = new LogTail();
  for (let line = 0; line < 1200; line++) tail.add(`line ${line} ${'é'.repeat(3000)}`, NOW);
  const few = tail.last(2, 60_000);
  assert.deepEqual([few.lines.length, few.cut], [2, false]);
  assert.match(few.lines[1] ?? '', /^2026-01-01T12:00:00.000Z line 1199 é/);
  assert.ok(few.lines.every((line) => line.length === 2000));
  const all = tail.last(1000, 60_000);
  assert.equal(all.cut, true);
  assert.ok(Buffer.byteLength(JSON.stringify(all.lines)) <= 60_001);
  assert.match(all.lines.at(-1) ?? '', /line 1199 /);
});

test('a device shows itself for as long as it was asked to; a shorter call ends no longer one', () => {
  const beacon = new Beacon();
  assert.equal(beacon.isOn(0), false);
  beacon.call(10, 1000);
  beacon.call(1, 2000);
  assert.deepEqual([beacon.isOn(10_999), beacon.isOn(11_000)], [true, false]);
});
