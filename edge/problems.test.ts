import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AdbreakError, type ErrorCode } from '@adbreak/shared/errors.js';
import { ModelFault } from './models/model-fault.js';
import { Problems } from './problems.js';

const coded = (code: ErrorCode) => new AdbreakError(code, `Cannot: ${code}`);
function fresh() {
  const said: string[] = [];
  const problems = new Problems((line) => said.push(line));
  return { said, problems, code: () => problems.current?.code };
}

test('a refusal is shown once, and over when the hub lets the device in; another fault is not', () => {
  const { problems, said, code } = fresh();
  for (let i = 0; i < 3; i++) assert.equal(problems.refused(coded('identity_in_use')), false);
  assert.deepEqual([code(), said.length], ['identity_in_use', 1]);
  problems.refused(null);
  assert.equal(code(), undefined);
  problems.fault(coded('model_corrupt'));
  problems.refused(null);
  assert.equal(code(), 'model_corrupt');
});

test('what a renewal may mend is no fault before the renewal says so, and over with the next certificate', () => {
  const { problems, code } = fresh();
  assert.equal(problems.refused(coded('identity_expired')), true);
  assert.equal(code(), undefined);
  problems.renewalFailed(coded('identity_expired'));
  assert.equal(code(), 'identity_expired');
  problems.renewed();
  assert.equal(code(), undefined);
  problems.fault(coded('disk_full'));
  problems.renewed();
  assert.equal(code(), 'disk_full');
});

test('a full card takes no other fault’s place, and is over when the reports are written', () => {
  const { problems, code } = fresh();
  problems.fault(coded('model_corrupt'));
  problems.spoolSays(coded('disk_full'));
  assert.equal(code(), 'model_corrupt');
  problems.fault(null);
  problems.spoolSays(coded('disk_full'));
  assert.equal(code(), 'disk_full');
  problems.spoolSays(null);
  assert.equal(code(), undefined);
});

test('a word of the hub that is refused is shown once, and over with the next that is followed', () => {
  const { problems, said, code } = fresh();
  for (let i = 0; i < 3; i++) problems.desiredSays(coded('desired_forged'));
  assert.deepEqual([code(), said.length], ['desired_forged', 1]);
  problems.desiredSays(coded('desired_untimely'));
  assert.equal(code(), 'desired_untimely');
  problems.desiredSays(null);
  assert.equal(code(), undefined);
  problems.fault(coded('model_corrupt'));
  problems.desiredSays(null);
  assert.equal(code(), 'model_corrupt');
});

test('why the hub took no report is shown until it takes one again, and takes no other fault’s place', () => {
  const { problems, said, code } = fresh();
  const refusal = {
    code: 'input_invalid',
    message: 'Cannot accept window 3',
    at: '2026-01-01T00:00:00.000Z',
  };
  problems.reportRefused(refusal);
  problems.reportRefused({ ...refusal, message: 'Cannot accept window 4' });
  assert.deepEqual(problems.current, { code: 'input_invalid', message: 'Cannot accept window 4' });
  assert.match(said[0] ?? '', /input_invalid: Cannot accept window 3/);
  problems.reportRefused(null);
  assert.equal(code(), undefined);
  problems.fault(coded('model_corrupt'));
  problems.reportRefused(refusal);
  assert.equal(code(), 'model_corrupt');
  problems.reportRefused(null);
  assert.equal(code(), 'model_corrupt');
  problems.refused(coded('too_many_requests'));
  assert.equal(code(), 'too_many_requests');
  problems.refused(null);
  assert.equal(code(), undefined);
});

test('failed downloads are counted by model, and a forged one is none', () => {
  const { problems } = fresh();
  const of = (code: ErrorCode) => problems.fault(new ModelFault({ digest: 'a'.repeat(64) }, coded(code)));
  of('hub_unreachable');
  of('disk_full');
  of('metadata_forged');
  assert.deepEqual([problems.current?.code, problems.current?.model], ['metadata_forged', 'a'.repeat(64)]);
  problems.fault(coded('hub_unreachable'));
  assert.deepEqual([problems.takeDownloadFailures(), problems.takeDownloadFailures()], [2, 0]);
});
