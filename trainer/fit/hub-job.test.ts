import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { trainerWord } from '@adbreak/shared/contract/training.js';

const MAIN = fileURLToPath(new URL('../main.js', import.meta.url));

test('a trainer that no hub has started trains for none', () => {
  const { status, stderr } = spawnSync(process.execPath, [MAIN, 'train', '--for-hub'], { encoding: 'utf8' });
  assert.deepEqual([status, /input_invalid: Cannot train for a hub/.test(stderr)], [1, true], stderr);
});

test('what a trainer refuses it tells its hub with the code and what to do', async () => {
  const args = [MAIN, 'train', '--for-hub', '--check', '--set', 'training.epoch=3'];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
  const ended = once(child, 'exit');
  const [message] = await once(child, 'message');
  const word = trainerWord.parse(message);
  assert.ok(word.kind === 'failed' && word.failure.code === 'input_invalid', JSON.stringify(word));
  assert.match(word.failure.message, /the nearest is training\.epochs/);
  assert.match(word.failure.remedy, /docs\/training\.md/);
  assert.deepEqual(await ended, [1, null]);
});
