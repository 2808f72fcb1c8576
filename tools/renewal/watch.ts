import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'node:tls';
import { callBy, type HubAddress } from '@adbreak/hub/cli/client.js';
import { fingerprint } from '@adbreak/hub/identity/authority.js';
import { fleet } from '@adbreak/shared/contract/http/fleet.js';

const LINK_MS = 250;
const SPOOL_MS = 50;
const DOOR_MS = 1000;
const SPOOLED = /^\d+\.json$/;

/** Looks again and again until the signal says that it is enough; an error of a look ends it. */
async function watch(everyMs: number, signal: AbortSignal, look: () => Promise<void>): Promise<void> {
  while (!signal.aborted) {
    await look();
    await sleep(everyMs, undefined, { signal }).catch(() => undefined);
  }
}

/** The sessions of a device as the hub sees them, and the longest time between two of them. */
export class LinkWatch {
  sessions = 0;
  /** From the last look that found the device there to the first that found it there again, milliseconds. */
  longestGapMs = 0;
  #since: string | null = null;
  #seen: number | null = null;

  run(hub: HubAddress, id: string, signal: AbortSignal): Promise<void> {
    return watch(LINK_MS, signal, async () => {
      const { link } = await callBy(hub, fleet.show, { params: { id } });
      this.#look(link, performance.now());
    });
  }

  #look({ state, since }: { readonly state: string; readonly since: string | null }, now: number): void {
    if (state !== 'online') return;
    if (since !== this.#since) {
      this.sessions += 1;
      if (this.#seen !== null) this.longestGapMs = Math.max(this.longestGapMs, now - this.#seen);
      this.#since = since;
    }
    this.#seen = now;
  }
}

/** How long reports lay in an agent's spool before they were acknowledged. */
export class SpoolWatch {
  longestWaitMs = 0;
  readonly #waiting = new Map<string, number>();

  run(folder: string, signal: AbortSignal): Promise<void> {
    return watch(SPOOL_MS, signal, async () => {
      const names = new Set(await waitingIn(folder));
      const now = performance.now();
      for (const name of names) if (!this.#waiting.has(name)) this.#waiting.set(name, now);
      for (const [name, seen] of this.#waiting) {
        this.longestWaitMs = Math.max(this.longestWaitMs, now - seen);
        if (!names.has(name)) this.#waiting.delete(name);
      }
    });
  }
}

/** Files of reports that are not acknowledged. */
export async function waitingIn(folder: string): Promise<string[]> {
  return (await readdir(folder)).filter((name) => SPOOLED.test(name));
}

/** The hub's certificates as somebody sees them who connects now, at each of its doors. */
export class DoorWatch {
  readonly https = new Set<string>();
  readonly mqtt = new Set<string>();

  run(hub: HubAddress & { readonly mqttPort: number }, signal: AbortSignal): Promise<void> {
    return watch(DOOR_MS, signal, async () => {
      this.https.add(await seenAt(hub, Number(new URL(hub.hub).port)));
      this.mqtt.add(await seenAt(hub, hub.mqttPort));
    });
  }
}

async function seenAt({ authority }: HubAddress, port: number): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', ca: authority });
  // The broker ends who shows no certificate; its own was seen by then.
  socket.on('error', () => undefined);
  await once(socket, 'secureConnect');
  const { raw } = socket.getPeerCertificate();
  socket.destroy();
  return fingerprint(raw);
}
