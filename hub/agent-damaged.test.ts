import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { tinyRelease } from '@adbreak/shared/testing/tiny-model.js';
import { until } from '@adbreak/shared/testing/until.js';
import { agentOf, overview, publish } from './testing/chain.js';
import { testHub } from './testing.js';

/** Says which files a process syncs, under the names that they have at that moment. */
const SAY_SYNCED = `data:text/javascript,${encodeURIComponent(`
  import { readlinkSync } from 'node:fs';
  import { open } from 'node:fs/promises';
  const handle = await open('/proc/self/status');
  const kind = Object.getPrototypeOf(handle);
  await handle.close();
  const { sync } = kind;
  kind.sync = function () {
    console.log('synced ' + readlinkSync('/proc/self/fd/' + this.fd));
    return sync.call(this);
  };
`)}`;

/** A device with two versions whose source is open and silent, killed; what it says and runs when it starts on a damaged file. */
async function twoVersions(t: TestContext) {
  const hub = await testHub(t);
  await publish(hub, '1.0.0');
  const input = join(await temporaryFolder(), 'silent');
  execFileSync('mkfifo', [input]);
  const first = await agentOf(t, hub, { input, kind: 'live', node: ['--import', SAY_SYNCED] });
  await publish(hub, '2.0.0');
  const bothRun = (words: () => string) =>
    until('both run', async () => /1\.0\.0 acts, 2\.0\.0 in its shadow/.test(words()));
  await bothRun(first.words);
  let { child } = first;
  const startOn = async (...damaged: string[]) => {
    child.kill('SIGKILL');
    await once(child, 'exit');
    await until('the hub sees it go', async () =>
      (await overview(hub)).devices.every(({ online }) => !online),
    );
    for (const path of damaged) await writeFile(join(first.state, path), '');
    const agent = await agentOf(t, hub, { input, kind: 'live', state: first.state });
    child = agent.child;
    await bothRun(agent.words);
    await until('nothing is wrong', async () =>
      (await overview(hub)).devices.some(({ online, reported }) => online && reported?.problem === null),
    );
    const { models } = await overview(hub);
    assert.equal(models['base-ad-detector']?.versions['2.0.0']?.status, 'available', hub.log.join('\n'));
    return agent.words();
  };
  return { first, startOn };
}
const { digest } = tinyRelease('1.0.0', 1).manifest;

test("production's files that the card has damaged are downloaded again, and the candidate is not blamed", {
  timeout: 120_000,
}, async (t) => {
  const { first, startOn } = await twoVersions(t);
  for (const file of ['manifest.json', 'model.tflite'])
    assert.match(
      first.words(),
      new RegExp(`synced \\S*/\\.staging-${digest}/${file}`),
      'before it has its name',
    );
  for (const file of ['manifest.json', 'model.tflite']) await startOn(`models/${digest}/${file}`);
});

test('an assignment that cannot be read is set aside, and the hub says it again', {
  timeout: 120_000,
}, async (t) => {
  const { first, startOn } = await twoVersions(t);
  const words = await startOn('desired.json');
  assert.match(words, /assignment: .*desired\.json.*the hub is asked/);
  assert.equal((await readFile(join(first.state, 'desired.json.damaged'))).length, 0);
});

test('signed metadata that cannot be read is taken from the enrolment and the hub, root and all', {
  timeout: 120_000,
}, async (t) => {
  const { first, startOn } = await twoVersions(t);
  const metadata = ['root', 'timestamp', 'snapshot', 'targets'].map((role) => `models/tuf/${role}.json`);
  await startOn(...metadata, `models/${digest}/manifest.json`);
  for (const path of metadata) assert.ok((await readFile(join(first.state, path))).length > 0, path);
});
