import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DeviceSet } from '@adbreak/shared/contract/http/fleet.js';
import { PLAN, started } from '../rollouts/fixtures.js';
import { start } from '../rollouts/step.js';
import { emptyState, type HubState } from '../store/state.js';
import { deviceEntry, MODEL, modelEntry } from '../testing/state.js';
import { applyChange, devicesMeant, outcomeOf, placed } from './changes.js';

const SPORTS = 'sports-ad-detector';

/** Three devices of the usual model, of which the last was revoked; a second model that is for pi5 alone. */
function state(): HubState {
  const all = emptyState();
  all.devices['pi-1'] = deviceEntry('pi-1', 'one', { tags: { ring: 'early' } });
  all.devices['pi-2'] = deviceEntry('pi-2', 'Two', { online: false });
  all.devices['pi-3'] = deviceEntry('pi-3', 'two', { revoked: true });
  all.models[MODEL] = modelEntry('1.0.0', ['1.0.0', '2.0.0']);
  const sports = modelEntry('4.0.0', ['4.0.0']);
  const version = sports.versions['4.0.0'];
  if (version !== undefined) version.manifest.hardware = ['pi5'];
  all.models[SPORTS] = sports;
  all.models['news-ad-detector'] = modelEntry(null, ['1.0.0']);
  return all;
}
const one = (all: HubState, device: string, set: DeviceSet, rules = {}) =>
  outcomeOf(all, [{ device, set }], rules);
const codesOf = ({ refused }: ReturnType<typeof one>) => refused.map(({ error }) => error.code);

test('a device that is moved says from where, to which version, and what rollout it leaves; applied, there is nothing left to do', () => {
  const all = state();
  const rollout = start(started(PLAN, { id: 'r' }));
  all.rollouts.push({ ...rollout, members: ['pi-1'], seen: 0 });
  const { changed } = one(all, 'pi-1', { model: SPORTS, site: 'attic' });
  const [first] = changed;
  assert.ok(first !== undefined);
  assert.deepEqual(
    [first.change.before.model, first.change.after.model, first.change.production, first.change.leaves],
    [MODEL, SPORTS, '4.0.0', 'r'],
  );
  applyChange(all, first.change, first.set);
  assert.equal(all.devices['pi-1']?.model, SPORTS);
  assert.deepEqual(all.devices['pi-1']?.slice, { channel: 'one', site: 'attic', hardware: 'pi5' });
  assert.deepEqual(one(all, 'pi-1', { model: SPORTS, site: 'attic' }).unchanged, ['pi-1']);
});

test('a device is refused where it is not there, was revoked, or its model is unknown, without production, or for other hardware', () => {
  const all = state();
  assert.deepEqual(codesOf(one(all, 'pi-9', {})), ['not_found']);
  assert.deepEqual(codesOf(one(all, 'constructor', {})), ['not_found']);
  assert.deepEqual(codesOf(one(all, 'pi-3', { tags: { ring: 'late' } })), ['conflict']);
  assert.deepEqual(codesOf(one(all, 'pi-1', { model: 'no-such-model' })), ['not_found']);
  assert.deepEqual(codesOf(one(all, 'pi-1', { model: 'news-ad-detector' })), ['conflict']);
  all.devices['pi-2'] = deviceEntry('pi-2', 'two', {
    slice: { channel: 'two', site: 'home', hardware: 'pi3' },
  });
  const { refused } = one(all, 'pi-2', { model: SPORTS });
  assert.match(refused[0]?.error.message ?? '', /4\.0\.0 is for pi5, and its hardware is pi3/);
  all.devices['pi-2'] = deviceEntry('pi-2', 'two', { slice: null });
  assert.equal(one(all, 'pi-2', { model: SPORTS }).changed.length, 1, 'what it is nobody knows yet');
});

test('a filter means the devices that fit all of it, whatever way a channel is written, and none that was revoked', () => {
  const all = state();
  const meant = (where: object) => devicesMeant(all, [{ where, set: {} }]).map(({ device }) => device);
  assert.deepEqual(meant({ site: 'home' }), ['pi-1', 'pi-2']);
  assert.deepEqual(meant({ channel: ' TWO ' }), ['pi-2']);
  assert.deepEqual(meant({ tags: { ring: null } }), ['pi-1']);
  assert.deepEqual(meant({ tags: { ring: 'late' } }), []);
  assert.deepEqual(meant({ online: true, model: MODEL }), ['pi-1']);
  assert.deepEqual(meant({ tags: { constructor: null } }), []);
  const twice = [
    { where: { site: 'home' }, set: {} },
    { device: 'pi-1', set: {} },
  ];
  assert.throws(() => devicesMeant(all, twice), { code: 'input_invalid', message: /pi-1: it comes twice/ });
});

test('tags change by name, or are all that there is; more than fifty are refused', () => {
  const all = state();
  const tagsAfter = (set: DeviceSet) => one(all, 'pi-1', set).changed[0]?.change.after.tags;
  assert.deepEqual(tagsAfter({ tags: { use: 'sports' } }), { ring: 'early', use: 'sports' });
  assert.deepEqual(tagsAfter({ tags: { ring: null, use: 'sports' } }), { use: 'sports' });
  assert.deepEqual(tagsAfter({ tags: { use: 'sports' }, only_tags: true }), { use: 'sports' });
  const many = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`t${i}`, 'x']));
  assert.deepEqual(codesOf(one(all, 'pi-1', { tags: many })), ['input_invalid']);
});

test('a place that people say takes the place of what reports say, until they take it back; to say what they say anyway is no change', () => {
  const all = state();
  assert.deepEqual(one(all, 'pi-1', { site: 'home', channel: 'one' }).unchanged, ['pi-1']);
  const [said] = one(all, 'pi-1', { channel: 'three' }).changed;
  assert.ok(said !== undefined);
  applyChange(all, said.change, said.set);
  const { place } = all.devices['pi-1'] ?? {};
  assert.deepEqual(place, { channel: 'three' });
  const told = { channel: 'one', site: 'home', hardware: 'pi5' };
  assert.deepEqual(placed(told, place), { ...told, channel: 'three' });
  const [back] = one(all, 'pi-1', { channel: null }).changed;
  assert.ok(back !== undefined);
  assert.equal(back.change.after.channel, null);
  applyChange(all, back.change, back.set);
  assert.equal(all.devices['pi-1']?.place, undefined);
  assert.deepEqual(one(all, 'pi-1', { channel: null }).unchanged, ['pi-1']);
});

test('a tag brings its model, and takes it along; a model that a person names, or has named since, stays', () => {
  const all = state();
  const rules = { 'use=sports': SPORTS };
  const modelOf = (set: DeviceSet) => {
    const [first] = one(all, 'pi-1', set, rules).changed;
    if (first !== undefined) applyChange(all, first.change, first.set);
    return all.devices['pi-1']?.model;
  };
  assert.equal(modelOf({ tags: { use: 'sports' } }), SPORTS);
  assert.equal(modelOf({ tags: { ring: 'late' } }), SPORTS, 'another tag changes nothing');
  assert.equal(modelOf({ model: MODEL }), MODEL);
  assert.equal(modelOf({ tags: { ring: 'early' } }), MODEL, 'the tag was there already');
  assert.equal(modelOf({ model: SPORTS }), SPORTS);
  assert.equal(modelOf({ tags: { use: null } }), MODEL, 'what brought it is gone');
  const unready = one(all, 'pi-1', { tags: { use: 'news' } }, { 'use=news': 'news-ad-detector' });
  assert.deepEqual(codesOf(unready), ['conflict']);
});
