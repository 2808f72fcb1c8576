import assert from 'node:assert/strict';
import { generateKeyPairSync, sign } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type ErrorCode, explain, hasCode } from '@adbreak/shared/errors.js';
import { retryAfterOf } from '@adbreak/shared/hub-fault.js';
import { stubHub } from '@adbreak/shared/testing/stub-hub.js';
import { smallVolume, temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { ModelStore } from './fetch.js';

const MODEL = { version: '1.0.0', digest: 'a'.repeat(64) };

type Signed = Readonly<Record<string, unknown>>;
const IN_TIME = { expires: '2099-01-01T00:00:00Z', spec_version: '1.0.31', version: 1 };
/** One key that signs TUF metadata (specification 1.0.31, section 4). Keys of objects are in their canonical order already. */
function signer() {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const raw = publicKey.export({ type: 'spki', format: 'der' }).subarray(-32).toString('hex');
  const keyid = raw.slice(0, 12);
  const signature = (signed: Signed) => ({
    keyid,
    sig: sign(null, Buffer.from(JSON.stringify(signed)), privateKey).toString('hex'),
  });
  const seal = (signed: Signed, ...more: readonly Signer[]): string =>
    JSON.stringify({
      signed,
      signatures: [signature(signed), ...more.map((one) => one.signature(signed))],
    });
  return { raw, keyid, signature, seal };
}
interface Signer {
  readonly raw: string;
  readonly keyid: string;
  readonly signature: (signed: Signed) => { keyid: string; sig: string };
}
function rootSigned({ raw, keyid }: Signer, version: number) {
  const role = { keyids: [keyid], threshold: 1 };
  return {
    _type: 'root',
    consistent_snapshot: true,
    expires: IN_TIME.expires,
    keys: { [keyid]: { keytype: 'ed25519', keyval: { public: raw }, scheme: 'ed25519' } },
    roles: { root: role, snapshot: role, targets: role, timestamp: role },
    spec_version: IN_TIME.spec_version,
    version,
  };
}
function rootMetadata(keys: ReturnType<typeof signer>): string {
  return keys.seal(rootSigned(keys, 1));
}
const METADATA = {
  timestamp: (version = 1) => ({
    _type: 'timestamp',
    expires: IN_TIME.expires,
    meta: { 'snapshot.json': { version } },
    spec_version: IN_TIME.spec_version,
    version: 1,
  }),
  snapshot: (expires = IN_TIME.expires, version = 1) => ({
    _type: 'snapshot',
    expires,
    meta: { 'targets.json': { version: 1 } },
    spec_version: IN_TIME.spec_version,
    version,
  }),
  targets: (expires = IN_TIME.expires) => ({
    _type: 'targets',
    expires,
    spec_version: IN_TIME.spec_version,
    targets: {},
    version: 1,
  }),
};

type Answer = (response: ServerResponse) => unknown;
/** A store whose hub answers like this by the end of the path; there is no newer root, and nothing else. */
async function storeAt(
  t: TestContext,
  answers: Readonly<Record<string, Answer>>,
  keys = signer(),
  now?: () => number,
) {
  const { url, authority } = await stubHub(t, ({ path }, response) => {
    const answer = answers[path.replace('/tuf/metadata/', '')];
    if (answer !== undefined) return answer(response);
    return response
      .writeHead(404)
      .end(JSON.stringify({ error: 'not_found', message: 'There is no metadata 2.root.json' }));
  });
  const folder = join(await temporaryFolder(), 'models');
  await mkdir(folder);
  const root = rootMetadata(keys);
  const identity = { device: 'pi-1', key: '', certificate: '', authority, mqtt: '', root };
  return { folder, url, identity, store: new ModelStore(folder, identity, url, now) };
}
/** All that a client asks for of a hub with an empty list. */
const good = ({ seal }: ReturnType<typeof signer>) => ({
  'timestamp.json': says(seal(METADATA.timestamp())),
  '1.snapshot.json': says(seal(METADATA.snapshot())),
  '1.targets.json': says(seal(METADATA.targets())),
});
const storeOf = (t: TestContext, timestamp: Answer) => storeAt(t, { 'timestamp.json': timestamp });
const thrown = async (work: Promise<unknown>) =>
  work.then(
    () => assert.fail('it works'),
    (error: unknown) => error,
  );

test('what the hub refuses is told in its words, with the path and how long to wait', async (t) => {
  const { folder, url, store } = await storeOf(t, (response) =>
    response
      .writeHead(503, { 'retry-after': '90' })
      .end(JSON.stringify({ error: 'disk_full', message: 'Cannot write hub.json' })),
  );
  const error = await thrown(store.obtain('base-ad-detector', MODEL));
  assert.ok(hasCode(error, 'hub_unreachable'));
  const path = `${url}/tuf/metadata/timestamp.json`;
  assert.equal(
    explain(error),
    `Cannot take base-ad-detector 1.0.0 (Cannot write hub.json (${path} answered status 503))`,
  );
  assert.equal(retryAfterOf(error), 90_000);
  assert.deepEqual(await readdir(folder), ['tuf']);
});

test('more than the metadata may have ends the download, though the hub goes on sending', {
  timeout: 20_000,
}, async (t) => {
  const { store } = await storeOf(t, (response) => response.write(Buffer.alloc(50_000, 32)));
  const error = await thrown(store.obtain('base-ad-detector', MODEL));
  assert.ok(hasCode(error, 'metadata_forged'), String(error));
});

test('who stops waits for no hub; nothing of the download stays', { timeout: 20_000 }, async (t) => {
  const stop = new AbortController();
  const { folder, store } = await storeOf(t, () => setTimeout(() => stop.abort(), 50));
  await thrown(store.obtain('base-ad-detector', MODEL, stop.signal));
  assert.deepEqual(await readdir(folder), ['tuf']);
});

const says =
  (text: string | Buffer): Answer =>
  (response) =>
    response.end(text);
const busy: Answer = (response) =>
  response
    .writeHead(503, { 'retry-after': '90' })
    .end(JSON.stringify({ error: 'disk_full', message: 'Cannot write hub.json' }));
const cut: Answer = (response) => {
  response.writeHead(200, { 'content-length': '5000' }).write('{');
  setTimeout(() => response.destroy(), 20);
};
const YESTERDAY = '2020-01-01T00:00:00Z';

/** What is wrong with which file, whose signature it has, and what that is: an attack, something old, or the network. */
const CASES: readonly [
  string,
  (own: (signed: Signed) => string, other: (signed: Signed) => string) => Record<string, Answer>,
  ErrorCode,
][] = [
  [
    'a time stamp of another key',
    (_, other) => ({ 'timestamp.json': says(other(METADATA.timestamp())) }),
    'metadata_forged',
  ],
  ['a time stamp that is no JSON', () => ({ 'timestamp.json': says('<html>') }), 'metadata_forged'],
  [
    'a snapshot of another key',
    (_, other) => ({ '1.snapshot.json': says(other(METADATA.snapshot())) }),
    'metadata_forged',
  ],
  ['a snapshot that is no JSON', () => ({ '1.snapshot.json': says('{"signed":') }), 'metadata_forged'],
  [
    'a snapshot of a forger who says what old ones are told by',
    () => ({ '1.snapshot.json': says('x error Error: snapshot.json is expired') }),
    'metadata_forged',
  ],
  [
    'a snapshot without its end',
    () => ({ '1.snapshot.json': says(Buffer.alloc(3_000_000, 32)) }),
    'metadata_forged',
  ],
  [
    'targets of another key',
    (_, other) => ({ '1.targets.json': says(other(METADATA.targets())) }),
    'metadata_forged',
  ],
  [
    'a time stamp that is old',
    (own) => ({ 'timestamp.json': says(own({ ...METADATA.timestamp(), expires: YESTERDAY })) }),
    'metadata_invalid',
  ],
  [
    'a snapshot that is old',
    (own) => ({ '1.snapshot.json': says(own(METADATA.snapshot(YESTERDAY))) }),
    'metadata_invalid',
  ],
  [
    'a snapshot of another version',
    (own) => ({ '1.snapshot.json': says(own(METADATA.snapshot(IN_TIME.expires, 2))) }),
    'metadata_invalid',
  ],
  [
    'targets that are old',
    (own) => ({ '1.targets.json': says(own(METADATA.targets(YESTERDAY))) }),
    'metadata_invalid',
  ],
  ['a snapshot that a busy hub does not give', () => ({ '1.snapshot.json': busy }), 'hub_unreachable'],
  ['a snapshot whose connection is lost', () => ({ '1.snapshot.json': cut }), 'hub_unreachable'],
  ['targets whose connection is lost', () => ({ '1.targets.json': cut }), 'hub_unreachable'],
];
for (const [what, change, code] of CASES)
  test(`${what} is told as ${code}`, { timeout: 20_000 }, async (t) => {
    const [keys, { seal: other }] = [signer(), signer()];
    const { store, folder } = await storeAt(
      t,
      {
        'timestamp.json': says(keys.seal(METADATA.timestamp())),
        '1.snapshot.json': says(keys.seal(METADATA.snapshot())),
        '1.targets.json': says(keys.seal(METADATA.targets())),
        ...change(keys.seal, other),
      },
      keys,
    );
    const error = await thrown(store.obtain('base-ad-detector', MODEL));
    assert.ok(hasCode(error, code), explain(error));
    assert.equal(retryAfterOf(error), what.includes('busy') ? 90_000 : 0);
    assert.deepEqual(await readdir(folder), ['tuf']);
  });

test('metadata that the system’s clock still takes has ended by the time that the hub has signed', async (t) => {
  const keys = signer();
  const time = { now: Date.parse(IN_TIME.expires) - 1 };
  const { store } = await storeAt(t, good(keys), keys, () => time.now);
  assert.ok(hasCode(await thrown(store.obtain('base-ad-detector', MODEL)), 'not_found'));
  time.now += 1;
  const error = await thrown(store.obtain('base-ad-detector', MODEL));
  assert.ok(hasCode(error, 'metadata_invalid'), explain(error));
});

test('a device that is enrolled at another hub takes its metadata once that of the hub before is forgotten', async (t) => {
  const [before, keys] = [signer(), signer()];
  const { store, folder, identity } = await storeAt(t, good(keys), keys);
  await mkdir(join(folder, 'tuf'));
  await writeFile(join(folder, 'tuf/root.json'), rootMetadata(before));
  assert.ok(hasCode(await thrown(store.obtain('base-ad-detector', MODEL)), 'metadata_forged'));
  await store.forgetMetadata();
  assert.equal(await store.trustedRoot(), identity.root);
  assert.ok(hasCode(await thrown(store.obtain('base-ad-detector', MODEL)), 'not_found'));
});

test('a newer root is kept though the rest of the metadata is wrong, and a hub that does not answer is told', async (t) => {
  const [keys, next] = [signer(), signer()];
  const root = keys.seal(rootSigned(next, 2), next);
  const { store, folder, identity } = await storeAt(
    t,
    { '2.root.json': says(root), 'timestamp.json': says('<html>') },
    keys,
  );
  await store.followRoot();
  assert.equal(String(await store.trustedRoot()), root);
  assert.equal(String(await new ModelStore(folder, identity, 'https://127.0.0.1:1').trustedRoot()), root);
  await assert.rejects(new ModelStore(folder, identity, 'https://127.0.0.1:1').followRoot(), {
    code: 'hub_unreachable',
  });
});

test('metadata that is right and does not list the model says so', async (t) => {
  const keys = signer();
  const { store } = await storeAt(t, good(keys), keys);
  assert.ok(hasCode(await thrown(store.obtain('base-ad-detector', MODEL)), 'not_found'));
});

test('a card that is full while metadata is kept is a full card, and no attack', async (t) => {
  const folder = await smallVolume(t, 256);
  const keys = signer();
  const { url, authority } = await stubHub(t, ({ path }, response) => {
    if (!path.endsWith('timestamp.json')) return response.writeHead(404).end('{}');
    // The root is on the card by now.
    for (let size = 200_000; size > 100; size = Math.floor(size / 2))
      try {
        writeFileSync(join(folder, 'ballast'), Buffer.alloc(size), { flag: 'a' });
      } catch {
        // Full for this much.
      }
    return response.end(keys.seal(METADATA.timestamp()));
  });
  const identity = {
    device: 'pi-1',
    key: '',
    certificate: '',
    authority,
    mqtt: '',
    root: rootMetadata(keys),
  };
  const error = await thrown(new ModelStore(folder, identity, url).obtain('base-ad-detector', MODEL));
  assert.ok(hasCode(error, 'disk_full'), explain(error));
});
