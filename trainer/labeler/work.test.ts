import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { DiskCache } from './disk-cache.js';
import { Work } from './work.js';

const never = new AbortController().signal;

/** Makers that end when they are told. */
function workshop(slots: number) {
  const work = new Work<string>(slots);
  const begun: string[] = [];
  const stopped: string[] = [];
  const ends = new Map<string, () => void>();
  const order = (key: string, priority = 1) => ({
    key,
    priority,
    make: (signal: AbortSignal) => {
      begun.push(key);
      signal.addEventListener('abort', () => stopped.push(key));
      return new Promise<string>((resolve) => ends.set(key, () => resolve(key)));
    },
  });
  const end = async (key: string) => {
    ends.get(key)?.();
    await sleep(1);
  };
  return { work, begun, stopped, order, end };
}

describe('work', () => {
  test('what several want is made once; no more at once than there are slots', async () => {
    const { work, begun, order, end } = workshop(2);
    const all = [
      work.want(order('a'), never),
      work.want(order('a'), never),
      work.want(order('b'), never),
      work.want(order('c'), never),
    ];
    await sleep(1);
    assert.deepEqual(begun, ['a', 'b']);
    await end('a');
    await end('b');
    await end('c');
    assert.deepEqual(await Promise.all(all), ['a', 'a', 'b', 'c']);
    assert.deepEqual(begun, ['a', 'b', 'c']);
  });

  test('the urgent one comes first, of two alike the one that was asked for last', async () => {
    const { work, begun, order, end } = workshop(1);
    for (const one of [order('running'), order('ahead', 0), order('old'), order('new')])
      void work.want(one, never);
    await sleep(1);
    for (const key of ['running', 'new', 'old', 'ahead']) await end(key);
    assert.deepEqual(begun, ['running', 'new', 'old', 'ahead']);
  });

  test('it is called off when the last who waits for it leaves, and not before', async () => {
    const { work, begun, stopped, order, end } = workshop(1);
    const [first, second] = [new AbortController(), new AbortController()];
    const left = [work.want(order('a'), first.signal), work.want(order('a'), second.signal)];
    const next = work.want(order('b'), never);
    await sleep(1);
    first.abort(new Error('first'));
    await assert.rejects(left[0] ?? assert.fail(), /first/);
    assert.deepEqual(stopped, []);
    second.abort(new Error('second'));
    await assert.rejects(left[1] ?? assert.fail(), /second/);
    assert.deepEqual(stopped, ['a']);
    await end('a');
    await end('b');
    assert.equal(await next, 'b');
    assert.deepEqual(begun, ['a', 'b']);
  });

  test('a maker that fails keeps nobody behind it from being made', async () => {
    const work = new Work<string>(1);
    const failing = work.want(
      { key: 'a', priority: 1, make: () => Promise.reject(new Error('broken')) },
      never,
    );
    const next = work.want({ key: 'b', priority: 1, make: async () => 'b' }, never);
    await assert.rejects(failing, /broken/);
    assert.equal(await next, 'b');
  });
});

describe('the cache', () => {
  const said: string[] = [];
  const open = (folder: string, limit: number) =>
    DiskCache.open(folder, limit, (line) => void said.push(line));

  test('keeps the bytes in bounds: what was not used for longest goes, also of an earlier process', async () => {
    const folder = await temporaryFolder();
    const cache = await open(folder, 250);
    for (const name of ['r/a', 'r/b']) await cache.put(name, Buffer.alloc(100));
    await cache.get('r/a');
    await cache.put('r/c', Buffer.alloc(100));
    assert.deepEqual(
      ['r/a', 'r/b', 'r/c'].map((name) => cache.has(name)),
      [true, false, true],
    );
    const smaller = await open(folder, 150);
    assert.equal(['r/a', 'r/c'].filter((name) => smaller.has(name)).length, 1);
  });

  test('what was left unfinished goes, what was damaged or taken away is made again', async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, '1-1.part'), 'x');
    const cache = await open(folder, 1000);
    assert.equal(cache.has('1-1.part'), false);
    await cache.put('a', Buffer.from('whole'));
    await writeFile(join(folder, 'a'), '');
    assert.equal(await cache.get('a'), undefined);
    assert.equal(cache.has('a'), false);
  });

  test('what cannot be kept is said, and is no fault', async () => {
    const folder = await temporaryFolder();
    const cache = await open(folder, 1000);
    await mkdir(join(folder, 'taken'));
    await cache.put('taken', Buffer.from('x'));
    assert.match(said.join(), /taken is not kept/);
  });
});
