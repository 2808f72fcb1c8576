import { Aedes, type Client, type PublishPacket } from 'aedes';

type Callback = (error?: Error) => void;

/**
 * Aedes where devices speak to the hub alone. What one publishes, its last will too, was taken by
 * `authorizePublish`, and no session may read it: so it is neither looked for among the subscriptions nor kept
 * as retained, which would be a second copy of every device's last word.
 */
export class InboundAedes extends Aedes {
  /** Aedes calls it with a client for what comes over a connection, without one for the hub's own. */
  override publish(packet: PublishPacket, sender: Client | Callback, done?: Callback): void {
    if (typeof sender === 'function') super.publish(packet, sender);
    else done?.();
  }
}
