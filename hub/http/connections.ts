import type { Server } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { AdbreakError } from '@adbreak/shared/errors.js';
import type { FastifyInstance } from 'fastify';
import { limitHandshakes } from '../broker/connections.js';
import { type Complaints, coded } from '../broker/faults.js';
import { LIMITS } from '../broker/limits.js';
import { Places } from '../broker/places.js';
import type { DeviceCertificates } from '../identity/device-certificates.js';
import { plainAddress } from '../identity/guesses.js';
import type { HttpContext } from './context.js';
import { type Ended, endIdle, HTTP_LIMITS, limitPipelining } from './floods.js';

/** How often handshakes begin: of TLS alone, in the clear there is none. */
export function boundHandshakes(server: Server, complaints: Complaints): void {
  limitHandshakes(server, LIMITS.handshakes, (address) =>
    complain(complaints, address, tooMany(address, 'too many begin, of it or of all')),
  );
}

/** How many connections there are, what each may ask at once, and for how long it may be silent. */
export function boundConnections(
  app: FastifyInstance,
  { certificates }: Pick<HttpContext, 'certificates'>,
  complaints: Complaints,
): Places {
  const places = new Places(app.server, HTTP_LIMITS.connections, (address, why) =>
    complain(complaints, address, tooMany(address, why)),
  );
  const ended: Ended = (socket, error) =>
    complain(complaints, plainAddress(socket.remoteAddress ?? ''), error);
  const underWay = limitPipelining(app, places, ended);
  endIdle(app.server, underWay, ended);
  holdDevices(app.server, certificates, places, ended);
  return places;
}

/** Who has shown a good certificate is closed for nobody; of one device there are a few connections. */
function holdDevices(server: Server, certificates: DeviceCertificates, places: Places, ended: Ended): void {
  const counts = new Map<string, number>();
  server.on('secureConnection', (socket: TLSSocket) => {
    const device = deviceOf(socket, certificates);
    if (device === null) return;
    const count = counts.get(device) ?? 0;
    if (count >= HTTP_LIMITS.connectionsOfDevice || places.fullOfDevices) {
      const why = places.fullOfDevices ? 'devices hold all that are there for them' : `it has ${count} open`;
      ended(socket, new AdbreakError('too_many_requests', `Cannot accept a connection of ${device}: ${why}`));
      socket.destroy();
      return;
    }
    places.hold(socket, 'device');
    counts.set(device, count + 1);
    socket.once('close', () => {
      const left = (counts.get(device) ?? 1) - 1;
      if (left > 0) counts.set(device, left);
      else counts.delete(device);
    });
  });
}

/** The device whose certificate was shown in this handshake; null where none was, or it is nobody's. */
function deviceOf(socket: TLSSocket, certificates: DeviceCertificates): string | null {
  const shown = socket.getPeerX509Certificate();
  try {
    return shown === undefined ? null : certificates.identify(shown.raw).id;
  } catch {
    // It is told why with its first request.
    return null;
  }
}

function tooMany(address: string, why: string): AdbreakError {
  return new AdbreakError('too_many_requests', `Cannot accept a connection of ${address}: ${why}`);
}
function complain(complaints: Complaints, address: string, error: AdbreakError): void {
  complaints.say(address, `http: ${address}: ${coded(error)}`, { error });
}
