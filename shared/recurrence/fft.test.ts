import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seeded } from '../random.js';
import { PowerSpectrum } from './fft.js';

for (const size of [4, 8, 64, 2048])
  test(`the power spectrum of ${size} values is that of the definition`, () => {
    const random = seeded(`fft/${size}`);
    const signal = Float64Array.from({ length: size }, () => random.between(-1, 1));
    const power = new Float64Array(size / 2);
    const spectrum = new PowerSpectrum(size);
    spectrum.of(
      Float64Array.from({ length: size }, () => random.uniform()),
      power,
    );
    spectrum.of(signal, power);
    for (let k = 0; k < size / 2; k += Math.max(1, size >> 6)) {
      let [real, imaginary] = [0, 0];
      signal.forEach((value, i) => {
        real += value * Math.cos((2 * Math.PI * k * i) / size);
        imaginary -= value * Math.sin((2 * Math.PI * k * i) / size);
      });
      assert.ok(Math.abs((power[k] ?? 0) - (real ** 2 + imaginary ** 2)) < 1e-9 * size, `frequency ${k}`);
    }
  });

test('a size that is no power of two is refused', () => {
  for (const size of [0, 2, 3, 100]) assert.throws(() => new PowerSpectrum(size), /power of two/);
});
