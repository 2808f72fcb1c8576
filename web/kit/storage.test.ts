import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { PageStorage } from './storage.js';

/** A browser's storage in a map, that takes `room` items. */
function storageOf(room: number): Storage {
  const items = new Map<string, string>();
  return {
    get length() {
      return items.size;
    },
    key: (i) => [...items.keys()][i] ?? null,
    getItem: (key) => items.get(key) ?? null,
    setItem: (key, text) => {
      if (items.size >= room) throw new DOMException('full', 'QuotaExceededError');
      items.set(key, text);
    },
    removeItem: (key) => void items.delete(key),
    clear: () => items.clear(),
  };
}

describe('what a page keeps', () => {
  test('is kept by the browser as long as it has room, then by the page', () => {
    const browser = storageOf(1);
    const storage = new PageStorage(() => browser);
    assert.deepEqual([storage.set('a', '1'), storage.set('b', '2')], [true, false]);
    assert.deepEqual([storage.get('a'), storage.get('b')], ['1', '2']);
    assert.deepEqual(storage.keys(), ['a', 'b']);
    storage.remove('b');
    storage.remove('a');
    assert.deepEqual(storage.keys(), []);
    assert.equal(browser.length, 0);
  });

  test('a browser that forbids it stops nothing', () => {
    const storage = new PageStorage(() => {
      throw new DOMException('no', 'SecurityError');
    });
    assert.equal(storage.get('a'), null);
    assert.equal(storage.set('a', '1'), false);
    assert.equal(storage.get('a'), '1');
    assert.deepEqual(storage.keys(), ['a']);
    storage.remove('a');
    assert.equal(storage.get('a'), null);
  });

  test('a fault of the page itself is none of the browser', () => {
    const storage = new PageStorage(() => assert.fail('a fault'));
    assert.throws(() => storage.get('a'), /a fault/);
  });
});
