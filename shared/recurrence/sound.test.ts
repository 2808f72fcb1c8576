import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { seeded } from '../random.js';
import { SOUND_RATE, SOUND_WORDS, type SoundWord, SoundWords } from './sound.js';
import { disagreement } from './words.js';

/** Notes that come and go, by a seed. */
function music(seed: string, seconds: number): Float32Array {
  const random = seeded(seed);
  const notes = Array.from({ length: Math.ceil(seconds * 6) }, () => ({
    at: random.between(0, seconds),
    hertz: random.between(200, 1900),
    lasts: random.between(0.1, 0.8),
  }));
  const samples = new Float32Array(Math.round(seconds * SOUND_RATE));
  for (const { at, hertz, lasts } of notes)
    for (let i = 0; i < lasts * SOUND_RATE; i++) {
      const place = Math.round(at * SOUND_RATE) + i;
      if (place < samples.length)
        samples[place] =
          (samples[place] ?? 0) +
          0.2 * Math.exp((-3 * i) / (lasts * SOUND_RATE)) * Math.sin((2 * Math.PI * hertz * i) / SOUND_RATE);
    }
  return samples;
}

function wordsOf(samples: Float32Array, portion = samples.length): SoundWord[] {
  const words = new SoundWords();
  const all: SoundWord[] = [];
  for (let at = 0; at < samples.length; at += portion)
    all.push(...words.push(samples.subarray(at, at + portion)));
  return all;
}

/** Mean disagreement of words with those of another sound at the same time, and so many seconds later. */
function apart(a: readonly SoundWord[], b: readonly SoundWord[], later = 0): number {
  const pairs = a.flatMap((word) => {
    const near = b.find((other) => Math.abs(other.time - later - word.time) <= 0.5 / SOUND_WORDS + 1e-6);
    return near === undefined ? [] : [disagreement(word, near.low, 0)];
  });
  assert.ok(pairs.length > 50, `${pairs.length} words to compare`);
  return pairs.reduce((sum, value) => sum + value, 0) / pairs.length;
}

describe('words of sound', () => {
  const sound = music('one', 12);
  const words = wordsOf(sound);

  test('come sixteen times a second, each at the middle of what it heard, however the samples come', () => {
    assert.ok(Math.abs(words.length - 11.35 * SOUND_WORDS) <= 2, `${words.length}`);
    words.slice(1).forEach(({ time }, i) => {
      assert.ok(Math.abs(time - (words[i]?.time ?? 0) - 1 / SOUND_WORDS) < 1e-9);
    });
    assert.deepEqual(wordsOf(sound, 777), words);
  });

  test('are those of the same sound, quieter, noisier, at another phase, half a percent faster', () => {
    const random = seeded('noise');
    assert.ok(apart(words, wordsOf(sound.map((x) => x * 0.2))) < 0.02);
    assert.ok(apart(words, wordsOf(sound.map((x) => x + 0.01 * (random.uniform() - 0.5)))) < 0.15);
    const phase = Math.round(0.029 * SOUND_RATE);
    const late = new Float32Array(sound.length + phase);
    late.set(sound, phase);
    assert.ok(apart(words, wordsOf(late)) < 0.22);
    const faster = Float32Array.from({ length: sound.length }, (_, i) => sound[Math.round(i * 1.005)] ?? 0);
    assert.ok(apart(words.slice(0, 90), wordsOf(faster)) < 0.25);
  });

  test('are others of another sound, and of the same one some seconds later', () => {
    for (const seed of ['two', 'three'])
      assert.ok(Math.abs(apart(words, wordsOf(music(seed, 12))) - 0.5) < 0.06);
    assert.ok(apart(words, words, 3) > 0.4);
  });

  test('know silence, and how loud it is', () => {
    const quiet = wordsOf(new Float32Array(4 * SOUND_RATE));
    assert.ok(quiet.every(({ isSilent, level }) => isSilent && level === 0));
    assert.ok(wordsOf(sound.map((x) => x * 0.001)).every(({ isSilent }) => isSilent));
    const tone = Float32Array.from({ length: 4 * SOUND_RATE }, (_, i) => 0.5 * Math.sin(i));
    assert.ok(wordsOf(tone).every(({ level, isSilent }) => !isSilent && Math.abs(level - 0.354) < 0.02));
  });
});
