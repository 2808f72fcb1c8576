import assert from 'node:assert/strict';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { explainForPeople, hasCode } from '@adbreak/shared/errors.js';
import { publicKeyOf, stubHub } from '@adbreak/shared/testing/stub-hub.js';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { openIdentity } from './enrol.js';

/** A hub that issues for each request, and loses its first answers on the way. */
async function door(t: TestContext, lose: number) {
  const asked: string[] = [];
  const { url, authority } = await stubHub(t, async ({ body }, response, hub) => {
    const { csr } = JSON.parse(body);
    asked.push(publicKeyOf(csr));
    // The claim is spent, the answer never arrives.
    if (asked.length <= lose) return response.socket?.destroy();
    const certificate = await hub.issue({ csr });
    return response.end(
      JSON.stringify({
        device: 'pi-1',
        certificate,
        authority: hub.authority,
        mqtt: 'mqtts://127.0.0.1:1',
        root: '{}',
      }),
    );
  });
  const authorityPath = join(await temporaryFolder(), 'ca.pem');
  await writeFile(authorityPath, authority);
  return {
    asked,
    options: { device: 'pi-1', hub: url, authorityPath, token: 'adbreak_claim_0000000000', instance: 'i' },
  };
}
const lost = (error: unknown) => hasCode(error, 'hub_unreachable');

test('an enrolment whose answer was lost is asked again with the same key, as the claim is spent on it; then nothing is left of it', async (t) => {
  const { asked, options } = await door(t, 2);
  const folder = await temporaryFolder();
  for (let attempt = 0; attempt < 2; attempt++)
    await assert.rejects(
      openIdentity(folder, options, () => undefined),
      lost,
    );
  assert.deepEqual(await readdir(folder), ['enrolment.key']);
  const identity = await openIdentity(folder, options, () => undefined);
  assert.equal(identity.device, 'pi-1');
  assert.equal(new Set(asked).size, 1, 'one key in three requests');
  assert.deepEqual(await readdir(folder), ['identity.json']);
});

test('half a key that a power cut left is no key: a new one is made', async (t) => {
  const { asked, options } = await door(t, 0);
  const folder = await temporaryFolder();
  await writeFile(join(folder, 'enrolment.key'), '-----BEGIN PRIVATE KEY-----\nMIGH');
  await openIdentity(folder, options, () => undefined);
  assert.equal(asked.length, 1);
  assert.deepEqual(await readdir(folder), ['identity.json']);
});

test('a hub that is not there is said once, and one whose certificate has another name with what to do', async (t) => {
  const { options } = await door(t, 0);
  const said = async (hub: string) => {
    const error: unknown = await openIdentity(
      await temporaryFolder(),
      { ...options, hub },
      () => undefined,
    ).catch((thrown: unknown) => thrown);
    assert.ok(lost(error), String(error));
    return explainForPeople(error);
  };
  assert.equal((await said('https://127.0.0.1:1')).match(/fetch failed/g)?.length, 1);
  const other = options.hub.replace('127.0.0.1', '127.0.0.2');
  assert.match(
    await said(other),
    /the hub's certificate is not for 127\.0\.0\.2 .*\n {2}what to do: Start the hub with `--name 127\.0\.0\.2`/,
  );
});
