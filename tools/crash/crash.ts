import { explain } from '@adbreak/shared/errors.js';
import { z } from 'zod';
import { crashStore, type RunResult } from './run.js';
import { chosenStores } from './stores.js';

/**
 * `make test-crash`: real hubs that are killed at random and at every step, with real devices and people at them; what was
 * acknowledged is held against what is there afterwards. The last line is JSON; it fails where anything is lost.
 */
const KILLS = z.coerce
  .number()
  .int()
  .min(1)
  .max(100_000)
  .parse(process.env['KILLS'] ?? 200);
const seed = process.env['SEED'] ?? `crash ${Date.now()}`;
const say = (line: string) => console.error(line);
const begun = Date.now();
const closers: (() => void)[] = [];
const stop = new AbortController();
// However it ends: no hub outlives it.
process.once('exit', () => {
  for (const close of closers) close();
});
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => {
    stop.abort();
    process.exit(130);
  });

const summary = ({ kills, servers, reports, acknowledged, ledger }: RunResult) => ({
  kills,
  server_crashes: servers,
  reports,
  acknowledged,
  lost: ledger.lost,
  twice: ledger.twice,
  desired_differs: ledger.desiredDiffers,
  replays: ledger.replays,
  identical: ledger.identical,
  troubles: ledger.troubles.length,
});
const isGood = ({
  kills,
  ledger: { lost, twice, desiredDiffers, replays, identical, troubles },
}: RunResult) =>
  kills === KILLS &&
  lost + twice + desiredDiffers + troubles.length === 0 &&
  replays > 0 &&
  replays === identical;

try {
  const stores = await chosenStores(process.env['STORES']);
  say(`seed: ${seed}; ${KILLS} kills on each of: ${stores.join(', ')}`);
  const results = new Map<string, RunResult>();
  for (const store of stores) {
    const result = await crashStore({
      store,
      kills: KILLS,
      seed,
      say,
      stop: stop.signal,
      after: (close) => closers.push(close),
    });
    results.set(store, result);
    for (const line of result.ledger.troubles) say(`${store}: ${line}`);
  }
  const by: Record<string, number> = {};
  for (const result of results.values())
    for (const [step, n] of Object.entries(result.by)) by[step] = (by[step] ?? 0) + n;
  const seconds = (Date.now() - begun) / 1000;
  const kills = [...results.values()].reduce((sum, one) => sum + one.kills, 0);
  say(`${(seconds / Math.max(1, kills)).toFixed(2)} s a kill`);
  console.log(
    JSON.stringify({
      test: 'crash',
      seed,
      kills,
      by_step: by,
      stores: Object.fromEntries([...results].map(([name, one]) => [name, summary(one)])),
      seconds: Math.round(seconds),
    }),
  );
  process.exitCode = [...results.values()].every(isGood) ? 0 : 1;
} catch (error) {
  say(explain(error));
  process.exitCode = 1;
}
