import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Memory } from './memory.js';
import { KEYS, type Word } from './words.js';

const word = (low: number, high = 0): Word => ({ low, high, sureness: new Float32Array(63).fill(1) });

describe('the memory of what was there', () => {
  test('of a month fits into 64 MB', () => {
    assert.ok(new Memory(30 * 24 * 3600).bytes < 64e6);
  });

  test('gives what was kept, until it is overwritten', () => {
    const memory = new Memory(10);
    for (let second = 1; second <= 25; second++) memory.keep(second, word(second), word(2 * second, second));
    assert.equal(memory.at(15), null);
    assert.equal(memory.at(26), null);
    for (let second = 16; second <= 25; second++) {
      const kept = memory.at(second);
      assert.deepEqual([kept?.sound, kept?.low, kept?.high], [second, 2 * second, second]);
    }
  });

  test('has nothing of seconds that were left out, also where others were before', () => {
    const memory = new Memory(10);
    for (let second = 1; second <= 10; second++) memory.keep(second, word(second), null);
    memory.keep(16, word(7), null);
    for (let second = 11; second <= 15; second++) assert.equal(memory.at(second), null);
    assert.equal(memory.at(16)?.sound, 7);
    assert.equal(memory.at(16)?.hasPicture, false);
  });

  test('finds the seconds of a key, newest first, and stops where it forgot', () => {
    const memory = new Memory(100);
    for (let second = 1; second <= 250; second++)
      memory.keep(second, second % 7 === 0 ? word(KEYS * second + 3) : word(second % KEYS), null);
    const sevenths = [245, 238, 231, 224, 217, 210, 203, 196, 189, 182, 175, 168, 161, 154];
    assert.deepEqual([...memory.withSound(3, 99)], sevenths);
    assert.deepEqual([...memory.withSound(3, 2)], [245, 238]);
    assert.deepEqual([...memory.withPicture(3, 99)], []);
  });

  test('says what is news: what stands still is none', () => {
    const memory = new Memory(10);
    memory.keep(1, word(0), word(0));
    memory.keep(2, word(0), word(0));
    memory.keep(3, word(0xffff_ffff), word(0xffff_ffff));
    const [first, second, third] = [memory.at(1), memory.at(2), memory.at(3)];
    assert.equal(first?.pictureNews, 1);
    assert.ok((second?.pictureNews ?? 1) < 0.2 && (second?.soundNews ?? 1) < 0.2);
    assert.equal(third?.pictureNews, 1);
    assert.equal(third?.soundNews, 1);
  });
});
