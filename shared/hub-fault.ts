import { errorInAnswer } from './contract/wire-error.js';
import { type CertificateWords, chainOf, faultOf, type No, type Peer, Refusal } from './http-fault.js';

/** The hub's no, in its own words. Where it gave no coded one, the code is `hub_unreachable`. */
export class HubRefusal extends Refusal {}

/**
 * How long the other side wants to be left alone after this error or one behind it, milliseconds: for
 * `atLeast` of `retry`.
 */
export function retryAfterOf(error: unknown): number {
  const asked = chainOf(error).map((one) =>
    one instanceof Error && 'retryAfterMs' in one ? Number(one.retryAfterMs) : 0,
  );
  return Math.max(...asked);
}

/** Who reads what went wrong: whoever has a card in hand, or a person at the command line. */
export type Reader = 'device' | 'person';
const CERTIFICATES = {
  device: {
    owner: 'the hub',
    authority: 'the authority on the card',
    otherAuthority:
      "Copy the hub's identity/ca.pem to the card, or write the right hub into the configuration.",
    otherName: (name) =>
      `Start the hub with \`--name ${name}\`, or write a name that it has as \`hub\` into the configuration.`,
    otherTime:
      'Set the clock of this device; where it is right, start the hub: it renews its own certificate.',
  },
  person: {
    owner: 'the hub',
    authority: 'the authority of --ca',
    otherAuthority:
      "Give the identity/ca.pem of this hub's state folder as --ca (ADBREAK_CA), or the right hub as --hub.",
    otherName: (name) =>
      `Start the hub with \`--name ${name}\`, or give a name that it has as --hub (ADBREAK_HUB).`,
    otherTime:
      'Set the clock of this machine; where it is right, start the hub: it renews its own certificate.',
  },
} as const satisfies Record<Reader, CertificateWords>;

const UNREACHABLE: Readonly<Record<Reader, string>> = {
  device: 'Check that the hub runs, and that `hub` in the configuration of this device is its address.',
  person: 'Check that the hub runs, and that --hub (ADBREAK_HUB) is its address.',
};

/** The hub at the other end, told of to this reader. */
export function hubAsPeer(reader: Reader): Peer {
  return {
    unreachable: 'hub_unreachable',
    remedy: UNREACHABLE[reader],
    faultOf: (cause, hostname, timeoutMs) => faultOf(cause, hostname, timeoutMs, CERTIFICATES[reader]),
    refusal: ({ url, status, text, retryAfter }: No, stranger) => {
      const said = errorInAnswer(parsed(text));
      if (said === null)
        return new HubRefusal(stranger(`it answered status ${status}, and not as a hub does`), {
          status,
          retryAfter,
        });
      return new HubRefusal(said, {
        status,
        retryAfter,
        // An agent's log says which call it was; who has typed the command knows.
        ...(reader !== 'person' && {
          cause: new Error(`${url.origin}${url.pathname} answered status ${status}`),
        }),
      });
    },
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
