import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Layer, mixed } from './layers.js';
import { SAMPLE_RATE } from './rate.js';

const SECONDS = 6;
const KINDS = ['music', 'speech', 'crowd', 'room'] as const;
const sound = (...layers: Layer[]) => mixed(layers, SECONDS * SAMPLE_RATE);
const layer = (kind: Layer['kind'], seed: string): Layer => ({ kind, seed, level: 1 });

/** -1 to 1: how alike two sounds run. */
function correlation(a: Int16Array, b: Int16Array): number {
  const dot = (x: Int16Array, y: Int16Array) => x.reduce((sum, value, i) => sum + value * (y[i] ?? 0), 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}

test('of each kind one seed sounds the same, another different', () => {
  for (const kind of KINDS) {
    const [one, again, other] = [sound(layer(kind, '1')), sound(layer(kind, '1')), sound(layer(kind, '2'))];
    assert.deepEqual(again, one);
    assert.ok(Math.abs(correlation(one, other)) < 0.5, `${kind}: ${correlation(one, other)}`);
    assert.ok(
      one.some((value) => Math.abs(value) > 500),
      `${kind} is heard`,
    );
  }
});

test('a sound begins the same however long it plays', () => {
  for (const kind of KINDS) {
    const long = sound(layer(kind, '3'));
    const short = mixed([layer(kind, '3')], 2 * SAMPLE_RATE);
    const edge = 2 * SAMPLE_RATE - 0.5 * SAMPLE_RATE;
    assert.deepEqual(short.slice(0, edge), long.slice(0, edge), kind);
  }
});

test('two voices to one music share the music alone; nothing is silence', () => {
  const [music, a, b] = [layer('music', 'm'), layer('speech', 'a'), layer('speech', 'b')];
  assert.ok(correlation(sound(music, a), sound(music, b)) > correlation(sound(a), sound(b)) + 0.1);
  assert.ok(sound().every((value) => value === 0));
});
