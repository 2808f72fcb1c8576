import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { overview, publish } from '@adbreak/hub/testing/chain.js';
import { BIN } from '@adbreak/hub/testing/command.js';
import { testHub } from '@adbreak/hub/testing.js';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';

const SCRIPTS = fileURLToPath(new URL('../../../scripts', import.meta.url));

/** Not spawnSync, or the hub of this process could not answer. */
async function run(script: string, args: readonly string[], variables: Record<string, string>) {
  const child = spawn(join(SCRIPTS, script), args, { env: { ...process.env, ...variables } });
  let [out, error] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    error += text;
  });
  const [code] = await once(child, 'close');
  return { code, out, error };
}

/** In the place of `adbreak`: notes what it is asked, a line each, and fails where a line holds `fails`. */
async function notebook(fails = 'nothing') {
  const folder = await temporaryFolder();
  const [program, notes] = [join(folder, 'adbreak'), join(folder, 'notes')];
  await writeFile(notes, '');
  const lines = [
    '#!/usr/bin/env bash',
    `echo "$*" >>'${notes}'`,
    `case "$*" in *'${fails}'*) exit 1 ;; 'models show '*) echo '1.1.0  available  0 %' ;; esac`,
  ];
  await writeFile(program, lines.join('\n'));
  await chmod(program, 0o755);
  return {
    variables: { ADBREAK: program, REGISTRY_URL: 'http://localhost:8123' },
    asked: async () => (await readFile(notes, 'utf8')).trimEnd().split('\n'),
  };
}

test('the complete training prepares, trains both models and deploys them, in this order', async () => {
  const { variables, asked } = await notebook();
  const { code, out, error } = await run('complete_training.sh', [], variables);
  assert.equal(code, 0, error);
  const prepare = 'dataset prepare --source local --source-path';
  const train = (model: string) =>
    `train --config configs/training/production-${model}.yaml --registry-url http://localhost:8123`;
  assert.deepEqual(await asked(), [
    `${prepare} data/raw-frames --output-dir data/datasets/production --split-ratio 0.7,0.15,0.15`,
    train('base'),
    `${prepare} data/sports-frames --output-dir data/datasets/sports`,
    train('sports'),
    'models show base-ad-detector',
    'models promote base-ad-detector 1.1.0',
    'models show sports-ad-detector',
    'models promote sports-ad-detector 1.1.0',
  ]);
  assert.match(out, /=== Training Complete ===\n.*training_results\.json\n.*8123\/api\/v1\/monitoring\n$/);
});

test('a step that fails is the last', async () => {
  const { variables, asked } = await notebook('production-base.yaml');
  const { code, out } = await run('complete_training.sh', [], variables);
  assert.notEqual(code, 0);
  assert.equal((await asked()).length, 2);
  assert.doesNotMatch(out, /Complete/);
});

test('deploying takes the newest version of each model to a rollout once, and no other', {
  timeout: 120_000,
}, async (t) => {
  const hub = await testHub(t);
  const variables = {
    ADBREAK: `${process.execPath} ${BIN}`,
    ADBREAK_HUB: hub.hub,
    ADBREAK_TOKEN: hub.token,
    ADBREAK_CA: join(hub.folder, 'identity/ca.pem'),
  };
  const deploy = (...models: string[]) => run('deploy_models.sh', models, variables);
  await publish(hub, '1.0.0', 1, { promote: false });
  const first = await deploy('base-ad-detector');
  assert.match(first.out, /^base-ad-detector 1\.0\.0: rolled out from here\n.*is the production version\n$/);
  assert.match((await deploy('base-ad-detector')).out, /it is in production already/);
  await publish(hub, '1.1.0', -1, { promote: false });
  await publish(hub, '1.0.0', 1, { promote: false, name: 'sports-ad-detector' });
  const both = await deploy();
  assert.equal(both.code, 0, both.error);
  const { rollouts, models } = await overview(hub);
  assert.deepEqual(
    rollouts.map(({ to }) => to.version),
    ['1.1.0'],
  );
  assert.equal(models['sports-ad-detector']?.production, '1.0.0');
  assert.match((await deploy('base-ad-detector')).out, /a rollout is trying it already/);
  const unknown = await deploy('nobody');
  assert.notEqual(unknown.code, 0);
  assert.match(unknown.error, /error not_found/);
});
