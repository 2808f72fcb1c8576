import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { smallVolume, temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { SlotStore } from './slot-store.js';
import { EMPTY_SLOTS, serving, stepSlots } from './slots.js';

const model = (version: string) => ({ version, digest: version[0]?.repeat(64) ?? '' });
const [one, two] = [model('1.0.0'), model('2.0.0')];
const confirmed = { ...EMPTY_SLOTS, confirmed: one };

describe('slots', () => {
  test('a trial serves, and becomes confirmed; what it replaced is the way back', () => {
    const armed = stepSlots(stepSlots(confirmed, { kind: 'arm', model: two }), { kind: 'start' });
    assert.deepEqual(serving(armed), two);
    assert.deepEqual(stepSlots(armed, { kind: 'confirm' }), {
      confirmed: two,
      previous: one,
      trial: null,
      quarantined: [],
    });
  });
  test('a trial that fails is quarantined and the confirmed model serves again', () => {
    const failed = stepSlots(stepSlots(confirmed, { kind: 'arm', model: two }), { kind: 'fail' });
    assert.deepEqual(serving(failed), one);
    assert.deepEqual(failed.quarantined, [two.digest]);
  });
  test('a trial that was started twice and never confirmed is not started a third time', () => {
    let state = stepSlots(confirmed, { kind: 'arm', model: two });
    for (let i = 0; i < 2; i++) state = stepSlots(state, { kind: 'start' });
    assert.deepEqual(serving(state), two);
    assert.deepEqual(serving(stepSlots(state, { kind: 'start' })), one);
  });
  test('confirm and fail without a trial change nothing', () => {
    assert.deepEqual(stepSlots(confirmed, { kind: 'confirm' }), confirmed);
    assert.deepEqual(stepSlots(confirmed, { kind: 'fail' }), confirmed);
  });
});

describe('slot store', () => {
  const silent = () => undefined;
  test('remembers the newest state', async () => {
    const folder = await temporaryFolder();
    const store = await SlotStore.open(folder, silent);
    await store.change(() => confirmed);
    await store.change(() => ({ ...confirmed, previous: two }));
    assert.deepEqual((await SlotStore.open(folder, silent)).state, { ...confirmed, previous: two });
  });
  test('one damaged copy costs one generation; both damaged is an error that names them', async () => {
    const folder = await temporaryFolder();
    const store = await SlotStore.open(folder, silent);
    await store.change(() => confirmed);
    await store.change(() => ({ ...confirmed, previous: two }));
    const newest = join(folder, 'state.a.json');
    await writeFile(newest, (await readFile(newest, 'utf8')).replace('2.0.0', '2.0.1'));
    const said: string[] = [];
    assert.deepEqual((await SlotStore.open(folder, (line) => said.push(line))).state, confirmed);
    assert.match(said.join(), /state\.a\.json.*checksum/);
    await writeFile(join(folder, 'state.b.json'), '{"gener');
    await assert.rejects(
      SlotStore.open(folder, silent),
      (error: unknown) => error instanceof AdbreakError && error.code === 'state_corrupt',
    );
  });
  test('changes that are asked for at once are made one after the other, each on what the one before has left', async () => {
    const folder = await temporaryFolder();
    const store = await SlotStore.open(folder, silent);
    const digests = Array.from({ length: 12 }, (_, i) => i.toString(16).repeat(64));
    await Promise.all(
      digests.map((digest) =>
        store.change((state) => ({ ...state, quarantined: [...state.quarantined, digest] })),
      ),
    );
    assert.deepEqual((await SlotStore.open(folder, silent)).state.quarantined, digests);
  });
  test('a change that the disk does not take is no change; one that changes nothing is not written', async (t) => {
    const folder = await smallVolume(t, 16);
    const store = await SlotStore.open(folder, silent);
    await store.change(() => confirmed);
    const large = { ...confirmed, quarantined: Array.from({ length: 400 }, () => two.digest) };
    await assert.rejects(
      store.change(() => large),
      (error: unknown) => error instanceof AdbreakError && error.code === 'disk_full',
    );
    assert.deepEqual(store.state, confirmed);
    const names = await readdir(folder);
    assert.equal(await store.change((state) => state), store.state);
    assert.deepEqual(await readdir(folder), names);
  });
});
