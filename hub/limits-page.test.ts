import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import type { Allowance } from '@adbreak/shared/token-bucket.js';
import { LIMITS } from './broker/limits.js';
import { QUOTAS } from './fleet/quotas.js';

const PAGE = new URL('../../docs/protocol/limits.md', import.meta.url);
const number = (value: number) => value.toLocaleString('en-GB');
const rate = ({ burst, perSecond }: Allowance) =>
  `${number(burst)} at once, then ${number(perSecond)} a second`;

test('every limit on the page of the protocol is the one that the broker and the quotas keep', async () => {
  const page = await readFile(PAGE, 'utf8');
  const { connections, handshakes } = LIMITS;
  const { burst, perSecond } = QUOTAS.bytes;
  for (const [what, limit] of [
    ['messages of a device', rate(QUOTAS.messages)],
    ['bytes of a device', `${burst / 2 ** 20} MiB at once, then ${number(perSecond)} a second`],
    ['events of a device', rate(QUOTAS.events)],
    ['connections of a device', number(LIMITS.connectionsOfDevice)],
    ['connections of an address, and of all', `${number(connections.each)}; ${number(connections.all)}`],
    ['new connections of an address', rate(handshakes.each)],
    ['new connections of all', rate(handshakes.all)],
    ['time for the handshake, and for the CONNECT', `${LIMITS.connectMs / 1000} s each`],
    ['keep alive', `1 to ${LIMITS.keepalive} s`],
    ['payload of a PUBLISH', `${number(LIMITS.publish - 1024)} bytes`],
    ['every other packet', `${number(LIMITS.control)} bytes`],
    ['topic', `${LIMITS.topic} bytes, ${LIMITS.levels} levels`],
    ['SUBSCRIBEs of a session', number(LIMITS.subscriptions)],
    [
      'bytes that wait for a client that does not read',
      `${number(LIMITS.unread)}, and no longer than ${LIMITS.slowMs / 1000} s`,
    ],
  ] as const)
    assert.ok(
      page.split('\n').some((line) => {
        const [, name, value] = line.split('|').map((cell) => cell.trim());
        return name === what && value === limit;
      }),
      `${what}: ${limit}`,
    );
});
