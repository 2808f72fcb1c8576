import { AdbreakError } from './errors.js';

export interface Visit {
  /** The Host header: the name by which the visitor reached the page. */
  readonly host: string | undefined;
  /** The Origin header: the page that asks, where a browser says it. */
  readonly origin: string | undefined;
  /** This end of the connection. */
  readonly address: string | undefined;
}

/** Names of this device: its host name, with and without a domain, as multicast DNS gives it, and what its owner calls it. */
export function namesOf(hostname: string, configured: readonly string[]): ReadonlySet<string> {
  const [short = hostname] = hostname.split('.');
  return new Set([hostname, short, `${short}.local`, ...configured].map((name) => name.toLowerCase()));
}

/**
 * Why a request is refused, or null. A page elsewhere can let its own name point to this device (DNS rebinding): the
 * browser then takes both for one site and lets it read and label. Only the name in the Host header tells, so it must
 * be one of ours: a name of the device, a loopback name, or the very address that was connected to. And whoever says
 * which page asks (RFC 6454, section 7) must be this page. `remedy`: how the page is reached under its own name.
 */
export function refusalOf(
  { host, origin, address }: Visit,
  names: ReadonlySet<string>,
  remedy: string,
): AdbreakError | null {
  const asked = parseHost(host ?? '');
  if (asked === null || !isOurs(asked.hostname.replace(/^\[|\]$|\.$/g, ''), address, names))
    return new AdbreakError(
      'forbidden',
      `Cannot answer under the name ${JSON.stringify(host?.slice(0, 100) ?? '')}: it is not one of this device`,
      { remedy },
    );
  if (origin === undefined || (URL.canParse(origin) && new URL(origin).host === asked.host)) return null;
  return new AdbreakError('forbidden', `Cannot answer a page from ${JSON.stringify(origin.slice(0, 100))}`, {
    remedy: "Use the device's own page.",
  });
}

function parseHost(host: string): URL | null {
  const address = `http://${host}`;
  return /^(\[[0-9a-f:.]+\]|[\w.-]+)(:\d{1,5})?$/i.test(host) && URL.canParse(address)
    ? new URL(address)
    : null;
}

function isOurs(name: string, address: string | undefined, names: ReadonlySet<string>): boolean {
  if (name === 'localhost' || name === '::1' || /^127(\.\d+){3}$/.test(name)) return true;
  // A socket for both IP versions gives IPv4 addresses as ::ffff:192.0.2.1; a link-local one has its interface behind it.
  return name === address?.replace(/^::ffff:(?=\d+\.)|%.*$/g, '') || names.has(name);
}
