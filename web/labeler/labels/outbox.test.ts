import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { LabelAction } from '@adbreak/shared/contract/labelling.js';
import { PageStorage } from '../../kit/storage.js';
import { browserKeep, Outbox, type Sent, type Waiting } from './outbox.js';

const undo = (n: number): LabelAction => ({
  kind: 'undo',
  id: `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`,
});
const waiting = (n: number): Waiting => ({ labeller: 'ada', action: undo(n) });
const number = ({ action }: Waiting) => Number(action.id.slice(-3));

/** Storage of a browser, in a map. */
class FakeStorage {
  readonly #items = new Map<string, string>();
  get length() {
    return this.#items.size;
  }
  key = (i: number) => [...this.#items.keys()][i] ?? null;
  getItem = (key: string) => this.#items.get(key) ?? null;
  setItem = (key: string, text: string) => void this.#items.set(key, text);
  removeItem = (key: string) => void this.#items.delete(key);
  clear = () => this.#items.clear();
}

/** Answers come as `answers` says, one for each that is sent. */
function outboxOf(answers: Sent<number>['kind'][], storage = new FakeStorage()) {
  const log: string[] = [];
  const pauses: number[] = [];
  const told: number[] = [];
  const outbox = new Outbox<number>({
    keep: browserKeep(new PageStorage(() => storage), () => 1000),
    send: async (each) => {
      const kind = answers.shift() ?? 'done';
      log.push(`${kind} ${number(each)}`);
      if (kind === 'done') return { kind, answer: 1 };
      return kind === 'gone' ? { kind } : { kind, why: 'no' };
    },
    sleep: async (ms) => void pauses.push(ms),
    onDone: (_, rest) => log.push(`left ${rest.map(number).join(',')}`),
    onWaiting: (rest) => told.push(rest.length),
    onUnkept: () => log.push('unkept'),
    onRefused: (each, why) => log.push(`refused ${number(each)}: ${why}`),
    onReach: () => {},
  });
  return { outbox, log, storage, pauses, told };
}
const settled = () => new Promise((resolve) => setTimeout(resolve, 5));

describe('what waits for the server', () => {
  test('goes in the order of the keys, one after the other', async () => {
    const { outbox, log, storage } = outboxOf([]);
    for (const n of [1, 2, 3]) outbox.add(waiting(n));
    assert.equal(storage.length, 3, 'kept before it is sent');
    await settled();
    assert.deepEqual(log, ['done 1', 'left 2,3', 'done 2', 'left 3', 'done 3', 'left ']);
    assert.equal(storage.length, 0);
  });

  test('is sent again with the same id while the server is gone, and keeps its place', async () => {
    const { outbox, log, pauses } = outboxOf(['gone', 'gone', 'done']);
    outbox.add(waiting(1));
    outbox.add(waiting(2));
    await settled();
    assert.deepEqual(log.slice(0, 3), ['gone 1', 'gone 1', 'done 1']);
    assert.deepEqual(log.at(-2), 'done 2');
    assert.ok((pauses[1] ?? 0) > (pauses[0] ?? 0), 'asks less and less often');
  });

  test('what the server refuses is dropped and told, and holds up nothing', async () => {
    const { outbox, log, storage } = outboxOf(['refused', 'done']);
    outbox.add(waiting(1));
    outbox.add(waiting(2));
    await settled();
    assert.deepEqual(log, ['refused 1', 'refused 1: no', 'done 2', 'left ']);
    assert.equal(storage.length, 0);
  });

  test('what the browser has no room for is told, sent in its place, and kept till then', async () => {
    const storage = new FakeStorage();
    storage.setItem = () => {
      throw new DOMException('full', 'QuotaExceededError');
    };
    const { outbox, log } = outboxOf(['gone', 'done'], storage);
    outbox.add(waiting(1));
    outbox.add(waiting(2));
    await settled();
    assert.deepEqual(log, ['unkept', 'gone 1', 'unkept', 'done 1', 'left 2', 'done 2', 'left ']);
  });

  test('a page that was closed leaves it to the next one; what is damaged is not sent', async () => {
    const storage = new FakeStorage();
    const keep = browserKeep(new PageStorage(() => storage), () => 500);
    keep.put(waiting(7));
    keep.put(waiting(8));
    storage.setItem('adbreak.waiting.0', '{"labeller":');
    storage.setItem('adbreak.waiting.1', '{"labeller":"ada","action":{"kind":"wish"}}');
    const { outbox, log, told } = outboxOf([], storage);
    assert.deepEqual(told, [2], 'told before it is sent');
    outbox.start();
    await settled();
    assert.deepEqual(log, ['done 7', 'left 8', 'done 8', 'left ']);
  });
});
