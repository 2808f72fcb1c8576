import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { hasCode } from './errors.js';
import { seeded } from './random.js';
import { DEFAULT_UNSURE, distanceMeter, fitUnsure } from './unsure.js';

const WIDTH = 200;
const SEED = 'clouds';

/** Features around a few directions, as scenes of a channel give. */
function cloud(name: string, count: number): Float32Array[] {
  const random = seeded(`${SEED}/${name}`);
  const centres = Array.from({ length: 6 }, (_, i) => {
    const own = seeded(`${SEED}/centre ${i}`);
    return Float32Array.from({ length: WIDTH }, () => own.uniform());
  });
  return Array.from({ length: count }, () =>
    random.pick(centres).map((value) => Math.max(0, value + 0.15 * random.normal())),
  );
}
function elsewhere(count: number): Float32Array[] {
  const random = seeded(`${SEED}/elsewhere`);
  const centre = Float32Array.from({ length: WIDTH }, () => random.uniform());
  return Array.from({ length: count }, () =>
    centre.map((value) => Math.max(0, value + 0.15 * random.normal())),
  );
}

describe('pictures unlike training', () => {
  const reference = fitUnsure(cloud('training', 400), cloud('validation', 400));
  const isUnlike = (features: Float32Array) => distanceMeter(reference)(features) > reference.threshold;

  test('are told apart, and few others are', (t) => {
    t.diagnostic(`seed ${SEED}`);
    const alarms = cloud('test', 400).filter(isUnlike).length;
    assert.ok(alarms <= 400 * 0.03, `${alarms} of 400`);
    const noticed = elsewhere(400).filter(isUnlike).length;
    assert.ok(noticed >= 400 * 0.95, `${noticed} of 400`);
  });
  test('go by direction: a brighter picture of the same thing is no other', () => {
    const meter = distanceMeter(reference);
    const [features = new Float32Array(0)] = cloud('test', 1);
    assert.ok(Math.abs(meter(features) - meter(features.map((value) => value * 3))) < 1e-5);
  });
  test('a reference is small, and the same from the same pictures', () => {
    assert.deepEqual(fitUnsure(cloud('training', 400), cloud('validation', 400)), reference);
    assert.ok(JSON.stringify(reference).length < 8 * 1024);
  });
  test('a reference whose parts do not fit is refused', () => {
    const refused = (error: unknown) => hasCode(error, 'model_corrupt');
    assert.throws(() => distanceMeter({ ...reference, dimensions: 31 }), refused);
    assert.throws(() => distanceMeter({ ...reference, prototypes: '' }), refused);
    assert.throws(() => distanceMeter(reference)(new Float32Array(WIDTH + 1)), refused);
  });
  test('without pictures there is nothing to be unlike', () =>
    assert.throws(
      () => fitUnsure([], cloud('validation', 9), DEFAULT_UNSURE),
      (error: unknown) => hasCode(error, 'training_failed'),
    ));
});
