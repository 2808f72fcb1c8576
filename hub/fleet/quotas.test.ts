import assert from 'node:assert/strict';
import { test } from 'node:test';
import { QUOTAS, Quotas } from './quotas.js';

const { messages, bytes, fetched } = QUOTAS;

test('who sends more than its quota of messages is told how long to stay away, and is let in again then', () => {
  const quotas = new Quotas();
  for (let sent = 0; sent < messages.burst; sent += 1) assert.equal(quotas.spend('pi-1', 100, 0), null);
  assert.equal(quotas.barred('pi-1', 0), null, 'all of it may be used');
  const refusal = quotas.spend('pi-1', 100, 0);
  assert.equal(refusal?.code, 'too_many_requests');
  assert.match(
    refusal?.message ?? '',
    /^Cannot take more of pi-1: it has sent more than 5000 messages at once/,
  );
  const away = (refusal?.wait ?? 0) * 1000;
  assert.ok(away >= 10_000, 'long enough that it is not cut off at each message');
  assert.equal(quotas.barred('pi-1', away - 1)?.wait, 1);
  assert.equal(quotas.barred('pi-1', away), null);
  assert.equal(quotas.spend('pi-1', 100, away), null);
});

test('bytes have a quota of their own, and nobody pays for another', () => {
  const quotas = new Quotas();
  let refusal = null;
  for (let sent = 0; refusal === null && sent <= bytes.burst; sent += 60_000)
    refusal = quotas.spend('pi-1', 60_000, 0);
  assert.match(refusal?.message ?? '', /more than 16777216 bytes at once/);
  assert.equal(quotas.barred('pi-2', 0), null);
  assert.equal(quotas.spend('pi-2', 60_000, 0), null);
});

test('a month of an honest agent, after days without a hub, stays within: windows of an hour, events and pings', () => {
  const quotas = new Quotas();
  const spool = Array.from({ length: 1200 }, () => quotas.spend('pi-1', 8000, 0));
  const month = Array.from({ length: 30 * 24 * 3600 }, (_, second) => {
    const now = second * 1000;
    const packets =
      (second % 3600 === 0 ? 2 : 0) + (second % 120 === 0 ? 2 : 0) + (second % 20 === 0 ? 1 : 0);
    return Array.from({ length: packets }, () => quotas.spend('pi-1', second % 3600 === 0 ? 8000 : 200, now));
  });
  assert.ok([...spool, ...month.flat()].every((refusal) => refusal === null));
});

test('a device fetches several of the largest models at once, then so many bytes a second; its session goes on', () => {
  const quotas = new Quotas();
  const largest = 256 * 2 ** 20;
  for (let sent = 0; sent < fetched.burst; sent += largest)
    assert.equal(quotas.fetch('pi-1', largest, 0), null);
  const refusal = quotas.fetch('pi-1', 16 * 1024 * 60, 0);
  assert.equal(refusal?.code, 'too_many_requests');
  assert.equal(refusal?.wait, 60);
  assert.deepEqual([quotas.barred('pi-1', 0), quotas.spend('pi-1', 100, 0)], [null, null]);
  assert.equal(quotas.fetch('pi-2', largest, 0), null);
  assert.equal(quotas.fetch('pi-1', 16 * 1024 * 60, 60_000), null);
});
