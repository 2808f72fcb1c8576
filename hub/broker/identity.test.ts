import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { type ConnectionOptions, createServer, connect as tlsConnect } from 'node:tls';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { Authority } from '../identity/authority.js';
import { type Identity, identityOf } from './identity.js';
import { deviceKey } from './testing.js';

/** A server that resumes sessions and lets handshakes without a certificate end, as Node does when it is asked to. */
async function resumingServer(t: TestContext, authority: Authority) {
  const { key, certificate } = await authority.issueServer([], new Date());
  const seen: { authorized: boolean; identity: Identity | AdbreakError }[] = [];
  const server = createServer(
    { key, cert: certificate, ca: authority.certificate, requestCert: true, rejectUnauthorized: false },
    (socket) => {
      seen.push({ authorized: socket.authorized, identity: identityOf(socket) });
      socket.on('error', () => socket.destroy());
      socket.end('.');
    },
  ).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => void server.close());
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  /** Connects until the server ends it, and gives the sessions that may be resumed. */
  const visit = async (options: ConnectionOptions): Promise<{ session?: Buffer }> => {
    const socket = tlsConnect({
      host: '127.0.0.1',
      port: address.port,
      ca: authority.certificate,
      ...options,
    }).resume();
    const sessions: Buffer[] = [];
    socket.on('session', (session) => sessions.push(session));
    await once(socket, 'close');
    return sessions[0] === undefined ? {} : { session: sessions[0] };
  };
  return { seen, visit };
}

test('a resumed session names nobody, though Node counts it as authorized: without a certificate before, and with one', async (t) => {
  const authority = await Authority.open(await temporaryFolder(), new Date());
  const { seen, visit } = await resumingServer(t, authority);
  const { key, certificate } = await deviceKey(authority, 'pi-1');
  const anonymous = await visit({});
  await visit(anonymous);
  const honest = await visit({ key, cert: certificate });
  await visit(honest);
  assert.deepEqual(
    seen.map(({ authorized }) => authorized),
    [false, true, true, true],
    'what Node says',
  );
  assert.deepEqual(
    seen.map(({ identity }) => (identity instanceof AdbreakError ? identity.code : identity.who)),
    ['unauthorized', 'unauthorized', 'pi-1', 'unauthorized'],
  );
});
