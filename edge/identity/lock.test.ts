import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AdbreakError, explain } from '@adbreak/shared/errors.js';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { lockState } from './lock.js';

test('a second agent on one state folder is refused, and may start when the first has ended', async () => {
  const folder = await temporaryFolder();
  const first = await lockState(folder);
  await assert.rejects(
    lockState(folder),
    (error: unknown) =>
      error instanceof AdbreakError &&
      error.code === 'identity_in_use' &&
      !explain(error).includes('\0') &&
      explain(error).endsWith(folder),
  );
  await using _other = await lockState(await temporaryFolder());
  await first[Symbol.asyncDispose]();
  await using _again = await lockState(folder);
});
