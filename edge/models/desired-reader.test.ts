import assert from 'node:assert/strict';
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { signingInput } from '@adbreak/shared/contract/signed-desired.js';
import type { ErrorCode } from '@adbreak/shared/errors.js';
import { sha256 } from '@adbreak/shared/storage/atomic.js';
import { smallVolume, temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { DesiredReader } from './desired-reader.js';
import { Trust } from './trust.js';

const DAY = 24 * 3_600_000;
const START = Date.parse('2027-01-10T12:00:00Z');
const iso = (time: number) => new Date(time).toISOString();
const refused = (code: ErrorCode, message = /./) => ({ code, message });

function newKey() {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const raw = publicKey.export({ type: 'spki', format: 'der' }).subarray(-32).toString('hex');
  return { id: sha256(raw), raw, secret: privateKey };
}
type OneKey = ReturnType<typeof newKey>;
/** Root metadata that names keys of the timestamp role; who has signed it is the TUF client's affair. */
function rootOf(keys: readonly OneKey[], threshold = 1): string {
  const named = keys.map(({ id, raw }) => [
    id,
    { keytype: 'ed25519', scheme: 'ed25519', keyval: { public: raw } },
  ]);
  const timestamp = { keyids: keys.map(({ id }) => id), threshold };
  return JSON.stringify({ signed: { _type: 'root', keys: Object.fromEntries(named), roles: { timestamp } } });
}
const plain = (revision: number) => ({
  revision,
  model: 'base-ad-detector',
  production: { version: '1.0.0', digest: 'a'.repeat(64) },
  candidate: null,
  serve: 'production',
  rollout: null,
});
const bytes = (value: unknown) => Buffer.from(JSON.stringify(value));
interface Word {
  device?: string;
  issued?: number;
  life?: number;
  mark?: (payload: string) => Uint8Array;
}
const signatureOf = (input: Uint8Array, secret: KeyObject) => sign(null, input, secret).toString('hex');
function word(
  keys: OneKey | readonly OneKey[],
  revision: number,
  { device = 'pi-1', issued = START, life = 14 * DAY, mark = signingInput }: Word = {},
) {
  const payload = JSON.stringify({
    device,
    issued: iso(issued),
    expires: iso(issued + life),
    desired: plain(revision),
  });
  const signatures = [keys].flat().map(({ id, secret }) => ({
    keyid: id,
    sig: signatureOf(mark(payload), secret),
  }));
  return { payload, signatures };
}

/** A device's reader, its clock, and the roots that its hub has. */
async function reader({ folder, key = newKey() }: { folder?: string; key?: OneKey } = {}) {
  const path = join(folder ?? (await temporaryFolder()), 'trust.json');
  const at = { system: START, steady: 0 };
  const roots = { trusted: rootOf([key]), newest: rootOf([key]), asked: 0 };
  const log: string[] = [];
  const open = async (root = 'the root of its enrolment') => {
    const trust = await Trust.open(path, root, (line) => log.push(line), {
      system: () => at.system,
      steady: () => at.steady,
    });
    const own = new DesiredReader({
      device: 'pi-1',
      trust,
      roots: {
        trusted: async () => roots.trusted,
        follow: async () => {
          roots.asked += 1;
          roots.trusted = roots.newest;
        },
      },
    });
    return { trust, reader: own, take: async (value: unknown) => (await own.take(bytes(value))).revision };
  };
  return { key, at, roots, path, log, open, ...(await open()) };
}

test('plain words are taken from a hub that has never signed one, and refused from then on, also after a restart', async () => {
  const { key, take, open } = await reader();
  assert.equal(await take(plain(1)), 1);
  assert.equal(await take(word(key, 2)), 2);
  await assert.rejects(take(plain(3)), refused('desired_forged', /it is not signed/));
  const { take: later } = await open();
  await assert.rejects(later(plain(3)), refused('desired_forged'));
  assert.equal(await later(word(key, 3)), 3);
});

test('a word that is changed, signed by a stranger, for another device, or signed as something else is refused', async () => {
  const { key, take } = await reader();
  const good = word(key, 2);
  assert.equal(await take(good), 2);
  const stranger = newKey();
  for (const forged of [
    { ...good, payload: good.payload.replace('"revision":2', '"revision":9') },
    { ...good, signatures: [{ ...word(stranger, 2).signatures[0], keyid: key.id }] },
    word(stranger, 3),
    word(key, 3, { mark: (payload) => Buffer.from(payload) }),
  ])
    await assert.rejects(take(forged), refused('desired_forged', /not signed by the key/));
  await assert.rejects(take(word(key, 3, { device: 'pi-2' })), refused('desired_forged', /it is for pi-2/));
  for (const nonsense of [{ payload: 'x' }, { ...good, signatures: [] }, { ...word(key, 3), payload: 7 }])
    await assert.rejects(take(nonsense));
  await assert.rejects(take({ ...plain(3), signatures: 'none' }), refused('input_invalid'));
});

test('a key that a newer root names counts after that root was fetched; as many signatures as the root asks for are needed', async () => {
  const { key, take, roots } = await reader();
  const next = newKey();
  roots.newest = rootOf([next]);
  assert.equal(await take(word(key, 1)), 1);
  assert.equal(roots.asked, 0, 'a word that is good under the trusted root asks nobody');
  assert.equal(await take(word(next, 2)), 2);
  assert.equal(roots.asked, 1);
  await assert.rejects(take(word(key, 3)), refused('desired_forged'));
  roots.trusted = rootOf([key, next], 2);
  roots.newest = roots.trusted;
  await assert.rejects(take(word([next, next], 3)), refused('desired_forged'), 'one key twice is one');
  assert.equal(await take(word([key, next], 3)), 3);
});

test('root metadata that the card has damaged is fetched again, and the word is taken', async () => {
  const { key, take, roots } = await reader();
  roots.trusted = '';
  assert.equal(await take(word(key, 1)), 1);
  assert.equal(roots.asked, 1);
});

test('what a stolen key has said of times and revisions is forgotten when the root names another key; plain words are refused all the same', async () => {
  const { key, take, roots, trust } = await reader();
  await take(word(key, 5));
  const stolen = 1000 * START;
  assert.equal(await take(word(key, stolen, { issued: START + 300 * DAY })), stolen);
  await assert.rejects(
    take(word(key, 9e15, { issued: START + 300 * DAY })),
    refused('desired_untimely', /one that no hub has come to/),
  );
  const next = newKey();
  roots.newest = rootOf([next]);
  assert.equal(await take(word(next, 6)), 6);
  assert.deepEqual([trust.revision, trust.now()], [6, START]);
  await assert.rejects(take(word(key, stolen)), refused('desired_forged'));
  await assert.rejects(take(plain(7)), refused('desired_forged', /not signed/));
});

test('a hub that cannot be asked for newer roots leaves the reason in the refusal', async () => {
  const { trust } = await reader();
  const key = newKey();
  const own = new DesiredReader({
    device: 'pi-1',
    trust,
    roots: {
      trusted: async () => rootOf([newKey()]),
      follow: () => Promise.reject(new Error('no route')),
    },
  });
  await assert.rejects(own.take(bytes(word(key, 1))), (error: unknown) => {
    assert.ok(error instanceof Error && error.cause instanceof Error);
    assert.equal(error.cause.message, 'no route');
    return true;
  });
});

test('what was overtaken is not followed again, before and after a restart; the same word again is', async () => {
  const { key, take, open } = await reader();
  const old = word(key, 5);
  assert.equal(await take(old), 5);
  assert.equal(await take(old), 5);
  assert.equal(await take(word(key, 7, { issued: START + 1000 })), 7);
  await assert.rejects(take(old), refused('desired_untimely', /it is revision 5, and the hub has signed 7/));
  const { take: later } = await open();
  await assert.rejects(later(old), refused('desired_untimely'));
});

test('a word that has ended is refused by the later of three times: the clock, what the hub has signed, and what has passed since', async () => {
  const { key, take, at, open } = await reader();
  const short = (revision: number, issued: number) => word(key, revision, { issued, life: DAY });
  at.system = START + 2 * DAY;
  await assert.rejects(take(short(1, START)), refused('desired_untimely', /it ended at 2027-01-11/));
  // The clock is set back: the hub's time counts, and goes on by itself.
  assert.equal(await take(short(2, START + 2 * DAY)), 2);
  at.system = START - 100 * DAY;
  await assert.rejects(take(short(3, START)), refused('desired_untimely'));
  at.steady = DAY;
  await assert.rejects(
    take(short(3, START + 2 * DAY)),
    refused('desired_untimely', /the time is 2027-01-13/),
  );
  const { take: later, trust } = await open();
  assert.equal(trust.now(), START + 2 * DAY, 'what a restart knows');
  await assert.rejects(later(short(3, START)), refused('desired_untimely'));
});

test('a word of a clock more than a year ahead is refused; a Pi whose clock stood for months follows the hub', async () => {
  const { key, take, at, trust } = await reader();
  await assert.rejects(
    take(word(key, 1, { issued: START + 367 * DAY })),
    refused('desired_untimely', /more than a year ahead/),
  );
  at.system = START - 200 * DAY;
  assert.equal(await take(word(key, 1)), 1);
  assert.equal(trust.now(), START);
});

test('the time that a hub with a wrong clock has signed is taken back by a newer word that agrees with the device’s clock, and by no replay', async () => {
  const { key, take, trust } = await reader();
  const before = word(key, 3);
  assert.equal(await take(word(key, 4, { issued: START + 100 * DAY })), 4);
  await assert.rejects(take(before), refused('desired_untimely'));
  await assert.rejects(take(word(key, 4)), refused('desired_untimely'), 'the same revision says nothing new');
  await assert.rejects(take(word(key, 5, { issued: START - 3 * DAY })), refused('desired_untimely'));
  assert.equal(await take(word(key, 5)), 5);
  assert.equal(trust.now(), START);
});

test('a hub that signs nothing new for two weeks is told of as long as that lasts; a week is none', async () => {
  const { key, take, at, reader: own } = await reader();
  const problem = () => own.problem;
  assert.equal(problem(), null);
  await take(plain(1));
  assert.equal(problem(), null);
  await take(word(key, 2));
  at.system = START + 7 * DAY;
  assert.equal(problem(), null);
  at.system = START + 14 * DAY;
  assert.equal(problem()?.code, 'desired_untimely');
  assert.match(problem()?.message ?? '', /ended at 2027-01-24/);
  // Signed anew, the same revision.
  assert.equal(await take(word(key, 2, { issued: START + 14 * DAY })), 2);
  assert.equal(problem(), null);
});

test('a device that is enrolled anew forgets what it knew of the hub before; a damaged file is set aside', async () => {
  const { key, take, open, path, log } = await reader();
  await take(word(key, 9));
  const other = await open('another root');
  assert.equal(other.trust.enrolledAnew, true);
  assert.equal(await other.take(word(key, 1)), 1);
  await writeFile(path, '{"root":');
  const damaged = await open();
  assert.equal(damaged.trust.enrolledAnew, false);
  assert.match(log.join(), /trust\.json.*kept as .*\.damaged/);
  assert.equal(await readFile(`${path}.damaged`, 'utf8'), '{"root":');
  assert.equal(await damaged.take(word(key, 1)), 1);
});

test('a card that is full costs no order', async (t: TestContext) => {
  const folder = await smallVolume(t, 4);
  await writeFile(join(folder, 'ballast'), Buffer.alloc(4096));
  const { key, take, log, trust } = await reader({ folder });
  assert.equal(await take(word(key, 2)), 2);
  assert.equal(trust.revision, 2);
  assert.match(log.join(), /no space left/);
});
