import assert from 'node:assert/strict';
import { test } from 'node:test';
import { after, PLAN, Play, pis, started } from './fixtures.js';
import { type SilenceFacts, silenceOf, troubledBySilence } from './silence.js';

const facts = (acting: number, silent: number, change: Partial<SilenceFacts> = {}): SilenceFacts => ({
  acting: { devices: acting, silent: pis(silent) },
  control: { devices: 0, silent: [] },
  windows: { expected: 100, came: 100 },
  ...change,
});

test('more silent devices than the plan allows, or clearly more than of the control group, are trouble', () => {
  assert.equal(troubledBySilence(facts(20, 4), PLAN), null);
  assert.match(troubledBySilence(facts(20, 5), PLAN) ?? '', /5 of 20 devices are silent/);
  const control = { devices: 40, silent: [] };
  assert.match(
    troubledBySilence(facts(20, 3, { control }), PLAN) ?? '',
    /3 of 20 devices on which the candidate acts are silent, of the others 0 of 40/,
  );
  assert.equal(troubledBySilence(facts(20, 3, { control: { devices: 40, silent: pis(6) } }), PLAN), null);
});

test('missing windows are trouble though nobody is silent: who does badly may report less', () => {
  assert.equal(troubledBySilence(facts(20, 0, { windows: { expected: 100, came: 80 } }), PLAN), null);
  assert.match(
    troubledBySilence(facts(20, 0, { windows: { expected: 100, came: 79 } }), PLAN) ?? '',
    /21 of 100 windows are missing/,
  );
  assert.equal(
    troubledBySilence(facts(20, 0, { windows: { expected: 9, came: 0 } }), PLAN),
    null,
    'too few to tell',
  );
});

test('silence begins when a device has had its time, counts every missing window, and ends with a report', () => {
  const play = new Play(pis(3), started(PLAN));
  const silent = (hour: number) => silenceOf(play.state, [], after(hour)).acting.silent;
  assert.deepEqual(silent(3), [], 'they have just been told');
  assert.deepEqual(silent(6), pis(3));
  play.hour(5, { agreed: 3 }, { devices: ['pi-0'] });
  assert.deepEqual(silent(6), ['pi-1', 'pi-2']);
  assert.deepEqual(silenceOf(play.state, [], after(7)).windows, { expected: 15, came: 1 });
  play.window('pi-1', 6, { agreed: 3 }, { start: after(60).toISOString(), end: after(61).toISOString() }, 7);
  assert.deepEqual(silent(8), ['pi-1', 'pi-2'], 'a report from the future is none');
});
