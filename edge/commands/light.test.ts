import assert from 'node:assert/strict';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { until } from '@adbreak/shared/testing/until.js';
import { Light } from './light.js';

/** A light on a tree of files as sysfs has one: what is written there stands there. */
async function tree(t: TestContext, name: string) {
  const folder = await temporaryFolder();
  const led = join(folder, name);
  await mkdir(led);
  await writeFile(join(led, 'trigger'), 'none kbd-scrolllock timer [mmc0] heartbeat default-on\n');
  await writeFile(join(led, 'brightness'), '7\n');
  await writeFile(join(led, 'max_brightness'), '255\n');
  const light = new Light(folder, 20);
  t.after(() => light[Symbol.asyncDispose]());
  return { led, light, read: (file: string) => readFile(join(led, file), 'utf8') };
}

test('the light of a Pi blinks as long as it is asked to, and is the card’s again', async (t) => {
  for (const name of ['ACT', 'led0']) {
    const { light, read } = await tree(t, name);
    assert.equal(await light.blink(0.5), true);
    await until('it is on', async () => (await read('brightness')) === '255');
    assert.equal(await read('trigger'), 'none', 'nothing else drives it meanwhile');
    await until('it is off', async () => (await read('brightness')) === '0');
    await until('it is on again', async () => (await read('brightness')) === '255');
    await until('the card drives it', async () => (await read('trigger')) === 'mmc0');
    assert.equal(await read('brightness'), '7');
  }
});

test('a second call makes it longer and never shorter, and the end of the agent ends it', async (t) => {
  const { light, read } = await tree(t, 'ACT');
  assert.deepEqual(await Promise.all([light.blink(60), light.blink(0.01)]), [true, true]);
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(await read('trigger'), 'none');
  await light[Symbol.asyncDispose]();
  assert.deepEqual([await read('trigger'), await read('brightness')], ['mmc0', '7']);
});

test('a device without a light, or with one that breaks, says so and why', async (t) => {
  const none = new Light(await temporaryFolder());
  assert.equal(await none.blink(1), false);
  assert.match(none.why, /^it has no light: there is neither ACT nor led0 in \//);
  const { led, light } = await tree(t, 'ACT');
  assert.equal(await light.blink(60), true);
  await rename(led, `${led}-gone`);
  await until('it is told', () => /does not do what it shall: ENOENT/.test(light.why));
  assert.equal(await light.blink(1), false, 'and it is looked for anew');
});

test('the rule for udev gives those lights to the user of the agent’s unit', async () => {
  const shipped = (name: string) =>
    readFile(fileURLToPath(new URL(`../../../provisioning/${name}`, import.meta.url)), 'utf8');
  const rule = await shipped('udev/90-adbreak-light.rules');
  const user = /^User=(\S+)$/m.exec(await shipped('systemd/adbreak-agent.service'))?.[1];
  assert.match(rule, /KERNEL=="ACT\|led0"/);
  for (const file of ['brightness', 'trigger'])
    assert.match(rule, new RegExp(`chgrp ${user} .*/sys%p/${file}`));
});
