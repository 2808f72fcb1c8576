import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { crashStore } from './run.js';
import { STEPS } from './steps.js';
import { chosenStores } from './stores.js';

/** The short form of `make test-crash`. Kills at random under load alone are in hub/crash.test.ts. */
for (const store of await chosenStores(undefined))
  test(`hubs on ${store} that are killed at steps lose nothing that was acknowledged`, {
    timeout: 300_000,
  }, async (t) => {
    const seed = process.env['SEED'] ?? `crash ${Date.now()}`;
    t.diagnostic(`seed: ${seed}`);
    const { kills, servers, by, ledger, acknowledged } = await crashStore({
      store,
      kills: 6,
      seed,
      say: (line) => t.diagnostic(line),
      stop: t.signal,
      after: (close) => t.after(close),
    });
    assert.deepEqual([ledger.troubles, ledger.lost, ledger.twice, ledger.desiredDiffers], [[], 0, 0, 0]);
    assert.deepEqual([kills, servers], [6, store === 'sqlite' ? 0 : 2]);
    assert.ok(
      Object.keys(by).some((name) => Object.hasOwn(STEPS, name)),
      'a hub died at a step',
    );
    assert.ok(acknowledged > 0);
    assert.ok(ledger.replays > 0 && ledger.replays === ledger.identical);
  });

test('a store that this hub has not is an error, and no pass', async () => {
  await assert.rejects(
    chosenStores('paper'),
    (error) => error instanceof AdbreakError && error.code === 'input_invalid',
  );
});
