import { explain } from '@adbreak/shared/errors.js';
import { z } from 'zod';
import { type RunResult, renewalRun, seconds } from './run.js';

/**
 * `make test-renewal`: a device whose certificate lives for a minute, at a hub that changes its own twice a
 * minute. The last line is JSON; it fails where a report is lost or counts twice, a session is cut, or nothing
 * was renewed.
 */
const MINUTES = z.coerce
  .number()
  .min(1)
  .max(10_000)
  .parse(process.env['MINUTES'] ?? 10);
const DEVICE_MS = 60_000;
const HUB_MS = 45_000;
const say = (line: string) => console.error(line);
const closers: (() => void)[] = [];
// However it ends: neither hub nor agent outlives it.
process.once('exit', () => {
  for (const close of closers.reverse()) close();
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));

const isGood = ({
  reports,
  acknowledged,
  lost,
  twice,
  cut,
  renewals,
  hubCertificates,
  troubles,
}: RunResult) =>
  acknowledged === reports &&
  lost + twice + cut + troubles.length === 0 &&
  renewals > 0 &&
  hubCertificates > 1;

try {
  say(`${MINUTES} minutes; certificates of ${DEVICE_MS / 1000} s, the hub's own of ${HUB_MS / 1000} s`);
  const result = await renewalRun({
    minutes: MINUTES,
    deviceMs: DEVICE_MS,
    hubMs: HUB_MS,
    say,
    after: (close) => closers.push(close),
  });
  const { certificates, renewals, reports, acknowledged, lost, twice, sessions, cut, troubles } = result;
  for (const line of troubles) say(line);
  console.log(
    JSON.stringify({
      test: 'renewal',
      minutes: MINUTES,
      certificates,
      renewals,
      reports,
      acknowledged,
      lost,
      twice,
      sessions,
      cut,
      hub_certificates: result.hubCertificates,
      longest_gap_s: seconds(result.longestGapMs),
      longest_wait_s: seconds(result.longestWaitMs),
      troubles: troubles.length,
    }),
  );
  process.exitCode = isGood(result) ? 0 : 1;
} catch (error) {
  say(explain(error));
  process.exitCode = 1;
}
process.exit();
