import assert from 'node:assert/strict';
import { test } from 'node:test';
import { renewalRun } from './run.js';

/** The short form of `make test-renewal`. */
test('a device that lives through certificates of seconds, at a hub that changes its own, loses no report and no session', {
  timeout: 240_000,
}, async (t) => {
  const { certificates, renewals, hubCertificates, reports, acknowledged, sessions, ...rest } =
    await renewalRun({
      minutes: 1,
      deviceMs: 24_000,
      hubMs: 18_000,
      say: (line) => t.diagnostic(line),
      after: (close) => t.after(close),
    });
  const { lost, twice, cut, troubles, longestGapMs } = rest;
  assert.deepEqual({ lost, twice, cut, troubles }, { lost: 0, twice: 0, cut: 0, troubles: [] });
  assert.ok(reports > 20 && acknowledged === reports, `${acknowledged} of ${reports} are acknowledged`);
  assert.ok(renewals >= 2 && certificates > renewals, `${renewals} of ${certificates} were used`);
  assert.ok(sessions >= 2 && hubCertificates >= 3, `${sessions} sessions, ${hubCertificates} of the hub`);
  assert.ok(longestGapMs < 15_000, `a gap of ${longestGapMs} ms`);
});
