import assert from 'node:assert/strict';
import { test } from 'node:test';
import { firstIndex } from './bisect.js';

test('the first index for which it holds, of lists of every length', () => {
  for (let length = 0; length < 20; length++)
    for (let first = 0; first <= length; first++) {
      const asked: number[] = [];
      const found = firstIndex(length, (index) => asked.push(index) > 0 && index >= first);
      assert.equal(found, first);
      assert.ok(asked.every((index) => index >= 0 && index < length));
      assert.ok(asked.length <= Math.ceil(Math.log2(length + 1)));
    }
});
