import assert from 'node:assert/strict';
import { mkdir, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { ERROR_CODES, type ErrorCode } from '@adbreak/shared/errors.js';
import { keyPem, newKeys, stubHub } from '@adbreak/shared/testing/stub-hub.js';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { until } from '@adbreak/shared/testing/until.js';
import { DeviceIdentity } from './identity.js';
import { Renewal } from './renewal.js';

/** Short enough that the pauses between tries are parts of a second. */
const LIFE_MS = 24_000;

/** A hub that renews nothing any more, and answers enrolments with these faults first. */
async function lostDevice(
  t: TestContext,
  faults: readonly ErrorCode[],
  headers: Record<string, string> = {},
) {
  const left = [...faults];
  let enrolments = 0;
  const hub = await stubHub(t, async ({ path, body }, response, { issue }) => {
    if (path !== '/agent/renew') enrolments += 1;
    const fault = path === '/agent/renew' ? 'identity_expired' : left.shift();
    if (fault !== undefined)
      return response
        .writeHead(ERROR_CODES[fault].status, headers)
        .end(JSON.stringify({ error: fault, message: 'no' }));
    return response.end(JSON.stringify(answerWith(await issue({ csr: JSON.parse(body).csr }, LIFE_MS))));
  });
  const answerWith = (certificate: string) => ({
    device: 'pi-1',
    certificate,
    authority: hub.authority,
    mqtt: 'mqtts://127.0.0.1:1',
    root: '{}',
  });
  const folder = await temporaryFolder();
  const authorityPath = join(folder, 'ca.pem');
  await writeFile(authorityPath, hub.authority);
  const { publicKey, privateKey } = await newKeys();
  const identity = await DeviceIdentity.create(
    folder,
    answerWith(await hub.issue(publicKey, LIFE_MS)),
    await keyPem(privateKey),
  );
  const seen = { renewed: 0, faults: [] as string[], log: [] as string[] };
  const start = () => {
    const renewal = new Renewal({
      device: 'pi-1',
      hub: hub.url,
      authorityPath,
      token: 'adbreak_claim_0000000000',
      instance: 'i',
      identity,
      onRenewed: () => {
        seen.renewed += 1;
      },
      onFault: ({ code, cause }) =>
        seen.faults.push(cause instanceof Error && 'code' in cause ? `${code}: ${cause.code}` : code),
      log: (line) => seen.log.push(line),
      uniform: () => 0,
    });
    t.after(() => renewal[Symbol.asyncDispose]());
    renewal.hurry();
  };
  return { folder, seen, start, enrolments: () => enrolments };
}

test("a hub's passing faults leave the claim token untried", async (t) => {
  const { seen, start } = await lostDevice(t, ['disk_full', 'internal', 'too_many_requests']);
  start();
  await until('it is enrolled anew', () => seen.renewed === 1);
  assert.deepEqual(seen.faults, ['disk_full', 'internal', 'too_many_requests']);
});

test('a card that does not take the new certificate leaves the claim token untried', async (t) => {
  const { folder, seen, start } = await lostDevice(t, []);
  // Nothing can be written where a folder is.
  const inTheWay = join(folder, `.identity.json.${process.pid}.part`);
  await mkdir(inTheWay);
  start();
  await until('it was not written', () => seen.log.some((line) => line.includes('trying again')));
  await rmdir(inTheWay);
  await until('it is enrolled anew', () => seen.renewed === 1);
});

test('a token that the hub has refused is not tried again', async (t) => {
  const { seen, start, enrolments } = await lostDevice(t, ['token_used']);
  start();
  await until('three tries', () => seen.faults.length === 3);
  assert.deepEqual(
    [seen.faults, enrolments()],
    [['identity_expired: token_used', 'identity_expired', 'identity_expired'], 1],
  );
});

test('a hub that says when it may be asked again is asked then, and no sooner', async (t) => {
  const { seen, start } = await lostDevice(t, ['too_many_requests'], { 'retry-after': '2' });
  const before = performance.now();
  start();
  await until('it is enrolled anew', () => seen.renewed === 1);
  // The pause of its own would be a fifth of a second.
  assert.ok(performance.now() - before >= 2000, `${performance.now() - before} ms`);
});
