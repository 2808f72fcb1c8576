import type { IncomingHttpHeaders } from 'node:http';
import { AdbreakError } from '@adbreak/shared/errors.js';
import type { FastifyInstance } from 'fastify';

/** Any port: a tunnel may end at another one than ours. */
const OWN_NAME = /^(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?$/i;

/**
 * Why a request to the plain port of the loopback is not from this machine's own programs; null where nothing
 * speaks against it. A page of elsewhere reaches the port through the browser of whoever sits here: by a name
 * of its own that leads to 127.0.0.1 (DNS rebinding), which the Host tells, or from its own origin, which
 * Origin and Fetch Metadata tell.
 */
export function strangerOf({ host = '', origin, ...others }: IncomingHttpHeaders): string | null {
  if (!OWN_NAME.test(host)) return `its Host is ${JSON.stringify(host)}`;
  if (origin !== undefined && origin.toLowerCase() !== `http://${host.toLowerCase()}`)
    return `it comes from a page of ${JSON.stringify(origin)}`;
  const site = others['sec-fetch-site'];
  // `same-site` is another port of this machine: another program's page.
  if (site !== undefined && site !== 'same-origin' && site !== 'none')
    return `it comes from a page of elsewhere`;
  return null;
}

/** Before anything else is looked at. */
export function refuseStrangers(app: FastifyInstance): void {
  app.addHook('onRequest', async ({ headers }) => {
    const why = strangerOf(headers);
    if (why !== null)
      throw new AdbreakError('forbidden', `Cannot answer on the loopback: ${why}`, {
        remedy: 'Ask http://localhost yourself on the machine of the hub; from elsewhere use its HTTPS port.',
      });
  });
}
