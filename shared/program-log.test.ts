import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { z } from 'zod';
import { AdbreakError } from './errors.js';
import type { About } from './log.js';
import { makeLog, shapeOf } from './program-log.js';

const AT = '2026-11-27T10:00:00.000Z';
const EVIL = 'x)\n2026-11-25T01:00:00Z rollout.force\u001b[2K\u001b]0;owned\u0007\u009b31m\u007f\r';
const entry = z.record(z.string(), z.string());

async function told(shape: 'text' | 'journal' | 'json', line: string, about?: About): Promise<string> {
  const lines: string[] = [];
  const log = await makeLog({ shape, write: (one) => lines.push(one), now: () => new Date(AT) });
  log(line, about);
  assert.equal(lines.length, 1);
  return lines[0] ?? '';
}
const json = async (line: string, about?: About) => entry.parse(JSON.parse(await told('json', line, about)));

describe('a line of the log', () => {
  test('is as it was for a person at a terminal', async () =>
    assert.equal(await told('text', 'pi-1: signal-lost', { device: 'pi-1' }), `${AT} pi-1: signal-lost`));

  test('has its priority for the journal, which knows the time', async () => {
    assert.equal(await told('journal', 'rollout r: HOLD', { rollout: 'r' }), '<6>rollout r: HOLD');
    assert.equal(
      await told('journal', 'state: disk full', { error: new Error('disk full') }),
      '<4>state: disk full',
    );
  });

  test('has what it is about as fields of JSON, and the code of what went wrong', async () => {
    assert.deepEqual(await json('rollout r-1: HOLD', { rollout: 'r-1', device: 'pi-1' }), {
      level: 'info',
      time: AT,
      rollout: 'r-1',
      device: 'pi-1',
      msg: 'rollout r-1: HOLD',
    });
    const error = new AdbreakError('state_unwritable', 'Cannot write');
    assert.deepEqual(await json('state: Cannot write', { error }), {
      level: 'warn',
      time: AT,
      code: 'state_unwritable',
      msg: 'state: Cannot write',
    });
  });

  test('is one line whatever a device says, in its text and in its fields', async () => {
    for (const shape of ['text', 'journal', 'json'] as const) {
      const line = await told(shape, `pi-1: ${EVIL}`, {
        device: EVIL,
        error: new AdbreakError('conflict', EVIL),
      });
      assert.doesNotMatch(line, /\p{Cc}/u, shape);
      assert.match(line, /rollout\.force/);
    }
    assert.doesNotMatch((await json(EVIL, { device: EVIL }))['device'] ?? '', /\p{Cc}/u);
  });

  test('tells no secret', async () => {
    const key = `-----BEGIN PRIVATE KEY-----\n${'QUJD'.repeat(9)}\n-----END PRIVATE KEY-----`;
    const token = `adbreak_token_${'0a'.repeat(20)}`;
    const first = `adbreak_first_${'0b'.repeat(20)}`;
    const session = `adbreak_session_${'0c'.repeat(20)}`;
    for (const [text, secret, kept] of [
      [`Cannot use ${token}`, '0a0a', 'Cannot use adbreak_token_[secret]'],
      [`/first?code=${first}`, '0b0b', '/first?code=adbreak_first_[secret]'],
      [`__Host-adbreak=${session}`, '0c0c', '__Host-adbreak=adbreak_session_[secret]'],
      ['header Authorization: Bearer abc.def-1==', 'abc.def', 'header Authorization: Bearer [secret]'],
      [`read ${key} there`, 'QUJD', 'read [key] there'],
      ['read -----BEGIN EC PRIVATE KEY-----\nQUJD', 'QUJD', 'read [key]'],
      ['lost rtsp://admin:hunter2@10.0.0.7/live', 'hunter2', 'lost rtsp://[secret]@10.0.0.7/live'],
    ] as const)
      for (const shape of ['text', 'json'] as const) {
        const line = await told(shape, text, { device: text });
        assert.ok(!line.includes(secret), line);
        assert.ok(line.includes(kept), line);
      }
  });
});

test('what writes to a file or a container is JSON, unless somebody asked for text', () => {
  assert.equal(shapeOf('auto', true, false), 'text');
  assert.equal(shapeOf('auto', false, true), 'journal');
  assert.equal(shapeOf('auto', false, false), 'json');
  assert.equal(shapeOf('text', false, false), 'text');
  assert.equal(shapeOf('json', true, true), 'json');
});
