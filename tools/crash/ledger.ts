import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import { callHub, type HubAddress } from '@adbreak/hub/cli/client.js';
import { view } from '@adbreak/hub/http/rollout-view.js';
import { MOST_SERIES } from '@adbreak/hub/monitoring/rows.js';
import { type RolloutEvent, rolloutEvent } from '@adbreak/hub/rollouts/events.js';
import { replay } from '@adbreak/hub/rollouts/log/replay.js';
import { windowReport } from '@adbreak/shared/contract/messages.js';
import { z } from 'zod';
import type { CrashDevice } from './device.js';
import { desiredDiffers, isActive, type Overview, overviewOf, type RolloutView } from './overview.js';

const BIN = fileURLToPath(new URL('../../../hub/bin/adbreak.js', import.meta.url));
/** The gate goes on while it is looked at: what differs must agree within this time. */
const PATIENCE_MS = 5000;
const loose = z.record(z.string(), z.unknown());

/** What devices were promised and what rollouts said, held against what a hub has that was killed. */
export class Ledger {
  lost = 0;
  twice = 0;
  desiredDiffers = 0;
  replays = 0;
  identical = 0;
  readonly troubles: string[] = [];
  readonly #devices: readonly CrashDevice[];
  readonly #scratch: string;
  /** Where a rollout's log was read through after its end. */
  readonly #done = new Set<string>();

  constructor(devices: readonly CrashDevice[], scratch: string) {
    this.#devices = devices;
    this.#scratch = scratch;
  }

  trouble(line: string): void {
    this.troubles.push(line);
  }

  /** What a hub knows that has started again, before any device speaks. `all`: the ended rollouts too. */
  async check(hub: HubAddress, all = false): Promise<void> {
    const { devices, rollouts } = await this.#settled(hub);
    for (const one of this.#devices)
      this.#checkSequence(
        one,
        devices.find(({ id }) => id === one.id),
      );
    for (const one of rollouts) if (all || !this.#done.has(one.id)) await this.#checkRollout(hub, one);
  }

  /** Every device has heard what the hub means it to do. */
  async checkHeard(hub: HubAddress): Promise<void> {
    const differing = async () => {
      const { devices } = await overviewOf(hub);
      return this.#devices.filter(({ id, desired }) => {
        const meant = devices.find((one) => one.id === id)?.desired ?? null;
        return (
          meant?.revision !== desired?.revision ||
          meant?.production.digest !== desired?.production.digest ||
          meant?.serve !== desired?.serve
        );
      });
    };
    const left = await patiently(differing);
    this.desiredDiffers += left.length;
    for (const { id, desired } of left)
      this.trouble(`${id} has heard revision ${desired?.revision}, and the hub means another`);
  }

  /** The settled overview; what differs for longer than a decision takes is counted. */
  async #settled(hub: HubAddress): Promise<Overview> {
    let seen = await overviewOf(hub);
    const left = await patiently(async () => {
      seen = await overviewOf(hub);
      return desiredDiffers(seen);
    });
    this.desiredDiffers += left.length;
    for (const line of left) this.trouble(`desired state: ${line}`);
    return seen;
  }

  #checkSequence({ id, sent }: CrashDevice, known: Overview['devices'][number] | undefined): void {
    if (known === undefined) return this.trouble(`${id} is not known any more`);
    const lost = sent.filter(
      ({ acknowledged, report }) => acknowledged && report.sequence > known.sequence,
    ).length;
    this.lost += lost;
    if (lost > 0) this.trouble(`${id}: ${lost} acknowledged reports after ${known.sequence} are not known`);
    if (known.missingWindows > 0 || known.refusedReports > 0)
      this.trouble(`${id}: ${known.missingWindows} missing and ${known.refusedReports} refused`);
  }

  async #checkRollout(hub: HubAddress, rollout: RolloutView): Promise<void> {
    const ended = !isActive(rollout);
    let { id, evidence } = rollout;
    let events: RolloutEvent[] = [];
    const differs = await patiently(async () => {
      ({ evidence } = (await overviewOf(hub)).rollouts.find((one) => one.id === id) ?? rollout);
      events = await this.#events(hub, id);
      if (ended) return [];
      const again = JSON.parse(JSON.stringify(view((await replay(these(events), null)).rollout).evidence));
      return isDeepStrictEqual(again, evidence)
        ? []
        : [`rollout ${id}: its evidence is not what its log adds up to`];
    });
    for (const line of differs) this.trouble(line);
    for (const device of this.#devices) this.#checkReports(id, ended, device, events);
    const { firstDifference } = await replay(these(events), null);
    this.#replayed(id, firstDifference === null);
    if (ended) this.#done.add(id);
  }

  /** A rollout's log holds a device's reports once each, as sent, without a hole, and while it lives all that were acknowledged. */
  #checkReports(
    id: string,
    ended: boolean,
    { id: name, sent }: CrashDevice,
    events: readonly RolloutEvent[],
  ): void {
    const meant = sent.filter(({ report }) => report.rollout === id);
    const logged = events.flatMap((event) =>
      event.kind === 'window' && event.device === name ? [event.report] : [],
    );
    const numbers = new Set(logged.map(({ sequence }) => sequence));
    const twice = logged.length - numbers.size;
    const last = Math.max(0, ...numbers);
    const gone = meant.filter(
      ({ acknowledged, report: { sequence } }) =>
        acknowledged && !numbers.has(sequence) && (!ended || sequence < last),
    ).length;
    this.twice += twice;
    this.lost += gone;
    if (twice > 0) this.trouble(`rollout ${id}: its log holds ${twice} reports of ${name} twice`);
    if (gone > 0) this.trouble(`rollout ${id}: ${gone} acknowledged reports of ${name} are not in its log`);
    const bySequence = new Map(meant.map(({ report }) => [report.sequence, report]));
    const other = logged.filter(
      (one) => !isDeepStrictEqual(windowReport.parse(bySequence.get(one.sequence) ?? null), one),
    ).length;
    if (other > 0) this.trouble(`rollout ${id}: ${other} reports of ${name} are not as they were sent`);
  }

  #replayed(id: string, identical: boolean): void {
    this.replays += 1;
    if (identical) this.identical += 1;
    else this.trouble(`rollout ${id}: its replay differs`);
  }

  async #events(hub: HubAddress, id: string): Promise<RolloutEvent[]> {
    return (await linesOf(hub, id)).map((line) => {
      // A chained line has its place in the chain beside the event.
      const { number: _, hash: __, ...event } = loose.parse(JSON.parse(line));
      return rolloutEvent.parse(event);
    });
  }

  /** The command itself over every log, chains and all. */
  async replayAll(hub: HubAddress): Promise<void> {
    for (const { id } of (await overviewOf(hub)).rollouts) {
      const file = join(this.#scratch, `${id}.jsonl`);
      await writeFile(file, (await linesOf(hub, id)).map((line) => `${line}\n`).join(''));
      const child = spawn(process.execPath, [BIN, 'rollouts', 'replay', '--events', file, '--json'], {
        stdio: ['ignore', 'ignore', 'inherit'],
      });
      const [code] = await once(child, 'exit');
      this.#replayed(id, code === 0);
    }
  }

  /** What the fleet's hours hold beyond what was sent, or short of it, by model. All of it must be acknowledged. */
  checkHours(hours: ReadonlyMap<string, number>): void {
    const sent = new Map<string, number>();
    for (const device of this.#devices)
      for (const { digest, episodes } of counted(device))
        sent.set(digest, (sent.get(digest) ?? 0) + episodes);
    for (const digest of new Set([...sent.keys(), ...hours.keys()])) {
      const [there, made] = [hours.get(digest) ?? 0, sent.get(digest) ?? 0];
      if (Math.abs(there - made) < 0.5) continue;
      if (there > made) this.twice += 1;
      else this.lost += 1;
      this.trouble(`the hours of ${digest.slice(0, 8)} hold ${there} episodes of ${made}`);
    }
  }
}

/** What a device's reports add to the hours of models: in a long run it comes to know more of them than a day counts. */
function* counted({ sent }: CrashDevice): Generator<{ readonly digest: string; readonly episodes: number }> {
  const days = new Map<string, Set<string>>();
  for (const { report } of sent) {
    const day = report.start.slice(0, 'YYYY-MM-DD'.length);
    const known = days.get(day) ?? new Set<string>();
    days.set(day, known);
    for (const digest of [report.production, report.candidate]) {
      if (digest === null || (!known.has(digest) && known.size >= MOST_SERIES)) continue;
      known.add(digest);
      yield { digest, episodes: report.episodes };
    }
  }
}

async function linesOf(hub: HubAddress, id: string): Promise<string[]> {
  const text = z.instanceof(Buffer).parse(await callHub(hub, `/api/v1/rollouts/${id}/events`));
  return text
    .toString('utf8')
    .split('\n')
    .filter((line) => line !== '');
}

async function* these(events: readonly RolloutEvent[]): AsyncGenerator<RolloutEvent> {
  yield* events;
}

/** Looks until nothing is left that differs, or patience ends; what is left then. */
async function patiently<T>(look: () => Promise<T[]>): Promise<T[]> {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const left = await look();
    if (left.length === 0 || Date.now() > deadline) return left;
    await sleep(100);
  }
}
