import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runAt } from '../testing/command.js';
import { AT, hubWithExceptions, productions, REASONS, restarted } from '../testing/exceptions.js';
import { auditLines } from '../testing/store.js';
import type { TestHub } from '../testing.js';

/** `adbreak models exceptions base-ad-detector …` against a hub of this process. */
const exceptions = (hub: TestHub, ...args: string[]) =>
  runAt(hub, 'models', 'exceptions', 'base-ad-detector', ...args);

test('exceptions are listed and lifted from the command line, and stay lifted over a restart', async (t) => {
  const hub = await hubWithExceptions(t);
  const list = await exceptions(hub);
  t.diagnostic(list.out);
  assert.equal(list.code, 0, list.error);
  assert.equal(
    list.out,
    [
      'base-ad-detector: production is 2.0.0; 2 exceptions',
      '',
      'channel=one stays on 1.0.0: 2 devices: pi-1, pi-2',
      `  since ${AT}, by base-ad-detector-2.0.0-abc123: ${REASONS.slice}`,
      '',
      'device=pi-3 stays on 1.0.0: 1 device: pi-3',
      `  since ${AT}, by base-ad-detector-2.0.0-abc123: ${REASONS.device}`,
      '',
      'To put one back on production: `adbreak models exceptions base-ad-detector --lift channel=one --reason WHY`',
      '',
    ].join('\n'),
  );
  const wrong = await exceptions(hub, '--lift', 'channel=onne');
  assert.equal(wrong.code, 1);
  assert.match(
    wrong.error,
    /^error not_found: Cannot lift channel=onne of base-ad-detector: it is no exception\n {2}what to do: There is channel=one, device=pi-3/,
  );
  const done = await exceptions(hub, '--lift', 'channel=one', '--reason', 'a new aerial');
  t.diagnostic(done.out);
  assert.equal(done.code, 0, done.error);
  assert.match(
    done.out,
    /^channel=one of base-ad-detector is lifted: it stayed on 1\.0\.0, production is 2\.0\.0\.\n2 devices change their version now \(2 are offline/,
  );
  assert.match(
    done.out,
    /This goes without the gate, by your word alone; it was left behind by .*: worse in channel=one/,
  );
  const after = { 'pi-1': '2.0.0', 'pi-2': '2.0.0', 'pi-3': '1.0.0', 'pi-4': '2.0.0' };
  assert.deepEqual(await productions(hub), after);

  const again = await restarted(t, hub);
  assert.deepEqual(await productions(again), after);
  const twice = await exceptions(again, '--lift', 'channel=one');
  assert.equal(twice.code, 0, twice.error);
  assert.match(
    twice.out,
    /^channel=one of base-ad-detector was lifted already, at .* by token:first: a new aerial\. It is no longer on 1\.0\.0; nothing changes\.\n$/,
  );
  const json = JSON.parse((await exceptions(again, '--json')).out) as {
    exceptions: { name: string }[];
    lifted: { name: string; reason: string }[];
  };
  assert.deepEqual(
    [json.exceptions.map(({ name }) => name), json.lifted.map(({ name, reason }) => [name, reason])],
    [['device=pi-3'], [['channel=one', 'a new aerial']]],
  );
  const last = JSON.parse((await exceptions(again, '--lift', 'device=pi-3', '--json')).out) as {
    kind: string;
    moves: { device: string; to: string }[];
  };
  assert.deepEqual(
    [last.kind, last.moves.map(({ device, to }) => [device, to])],
    ['lift', [['pi-3', '2.0.0']]],
  );
  assert.match(
    (await exceptions(again)).out,
    /^base-ad-detector: production is 2\.0\.0; there are no exceptions\n\nlifted since 2\.0\.0 is in production:\n/,
  );
  const audit = (await auditLines(again.folder)).filter((line) => line.includes('exception.lift'));
  assert.equal(audit.length, 2, 'lifting again is no change');
});

test('a reason without something to lift is refused before the hub is asked', async (t) => {
  const hub = await hubWithExceptions(t);
  const { code, error } = await exceptions(hub, '--reason', 'x');
  assert.equal(code, 1);
  assert.match(error, /error input_invalid: Cannot take --reason alone.*\n.*--lift channel=one/);
});
