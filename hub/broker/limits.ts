import { MESSAGE_LIMIT } from '@adbreak/shared/contract/messages.js';

/**
 * What the broker bears, for a fleet of up to ten thousand devices on one machine. docs/decisions/018. What
 * one device may send in the long run is in hub/fleet/quotas.ts.
 */
export const LIMITS = {
  /** Sockets in whatever state; some are left to operators, however many devices there are. */
  connections: { all: 10_000, each: 500, kept: 200 },
  /** An agent has one session, and for a moment the one before it; the others have said nothing yet. */
  connectionsOfDevice: 8,
  /**
   * TLS handshakes: about a millisecond of processor time each, before anybody has said who it is. A hub that
   * was restarted gets its whole fleet back within seconds; who is refused comes again with the pauses of an
   * agent.
   */
  handshakes: { all: { burst: 5000, perSecond: 500 }, each: { burst: 600, perSecond: 20 } },
  /** For the handshake, and then for the CONNECT. */
  connectMs: 10_000,
  /** Seconds. The agent says 20; a session without a bound would stay "online" for ever after a power cut. */
  keepalive: 300,
  /** Bytes of a packet that is no PUBLISH: an agent's CONNECT with its last will has about 300. */
  control: 8 * 1024,
  /** Bytes of a PUBLISH: a topic, its length and the packet identifier stand before the payload. */
  publish: MESSAGE_LIMIT + 1024,
  /** Bytes of a topic: the longest of a device has 175, the name of a round behind its own. */
  topic: 180,
  /**
   * Levels of a topic or filter, and that one has as many. Aedes counts them before its matcher, which would
   * throw at 100.
   */
  levels: 6,
  /** SUBSCRIBEs of a session: each is answered with what is retained. An agent sends one. */
  subscriptions: 16,
  /** Bytes that wait for a client that sends, and does not read; with what the kernel holds beside them. */
  unread: 256 * 1024,
  /**
   * For the kernel to take what is written to a client: one that does not read at all keeps nothing here for
   * longer.
   */
  slowMs: 15_000,
  /** Lines of the log about one device or address: whoever connects chooses how many there are. */
  lines: { burst: 60, perSecond: 0.5 },
} as const;
