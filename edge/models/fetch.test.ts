import assert from 'node:assert/strict';
import { generateKeyPairSync, sign } from 'node:crypto';
import { mkdir, readdir } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { explain, hasCode } from '@adbreak/shared/errors.js';
import { retryAfterOf } from '@adbreak/shared/hub-fault.js';
import { stubHub } from '@adbreak/shared/testing/stub-hub.js';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { ModelStore } from './fetch.js';

const MODEL = { version: '1.0.0', digest: 'a'.repeat(64) };

/** TUF root metadata (specification 1.0.31, section 4.3), signed by its one key. */
function rootMetadata(): string {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const raw = publicKey.export({ type: 'spki', format: 'der' }).subarray(-32).toString('hex');
  const role = { keyids: ['one'], threshold: 1 };
  const signed = {
    _type: 'root',
    consistent_snapshot: true,
    expires: '2099-01-01T00:00:00Z',
    keys: { one: { keytype: 'ed25519', keyval: { public: raw }, scheme: 'ed25519' } },
    roles: { root: role, snapshot: role, targets: role, timestamp: role },
    spec_version: '1.0.31',
    version: 1,
  };
  // Keys are in their canonical order already.
  return JSON.stringify({
    signed,
    signatures: [
      { keyid: 'one', sig: sign(null, Buffer.from(JSON.stringify(signed)), privateKey).toString('hex') },
    ],
  });
}

/** A store whose hub answers like this once it is asked for the time stamp: there is no newer root. */
async function storeOf(t: TestContext, timestamp: (response: ServerResponse) => unknown) {
  const { url, authority } = await stubHub(t, ({ path }, response) => {
    if (path === '/tuf/metadata/timestamp.json') return timestamp(response);
    return response
      .writeHead(404)
      .end(JSON.stringify({ error: 'not_found', message: 'There is no metadata 2.root.json' }));
  });
  const folder = join(await temporaryFolder(), 'models');
  await mkdir(folder);
  const identity = { device: 'pi-1', key: '', certificate: '', authority, mqtt: '', root: rootMetadata() };
  return { folder, url, store: new ModelStore(folder, identity, url) };
}
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
  assert.ok(hasCode(error, 'manifest_forged'), String(error));
});

test('who stops waits for no hub; nothing of the download stays', { timeout: 20_000 }, async (t) => {
  const stop = new AbortController();
  const { folder, store } = await storeOf(t, () => setTimeout(() => stop.abort(), 50));
  await thrown(store.obtain('base-ad-detector', MODEL, stop.signal));
  assert.deepEqual(await readdir(folder), ['tuf']);
});
