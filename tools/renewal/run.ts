import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { callBy, type HubAddress } from '@adbreak/hub/cli/client.js';
import { agentOf, publish } from '@adbreak/hub/testing/chain.js';
import { connectDevice, enrol } from '@adbreak/hub/testing/killed.js';
import { validityOf } from '@adbreak/shared/certificates.js';
import { fleet } from '@adbreak/shared/contract/http/fleet.js';
import { greyVideo, temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { until } from '@adbreak/shared/testing/until.js';
import { countedInferences, renewalsOf, spooledReports, storedReports } from './books.js';
import { startHub } from './hub-process.js';
import { DoorWatch, LinkWatch, SpoolWatch } from './watch.js';

const DEVICE = 'pi-1';
/** Holds one session from the begin to the end. */
const LISTENER = 'pi-2';
const VERSION = '1.0.0';
const SAY_MS = 15_000;

interface RunOptions {
  readonly minutes: number;
  /** How long certificates live, milliseconds. */
  readonly deviceMs: number;
  readonly hubMs: number;
  readonly say: (line: string) => void;
  /** Ends what was begun, whatever becomes of the run. */
  readonly after: (close: () => void) => void;
}
export interface RunResult {
  /** Of the device, the first one among them. */
  readonly certificates: number;
  /** Of these, the device has come with after the first. */
  readonly renewals: number;
  /** That the agent has numbered, and that it was acknowledged. */
  readonly reports: number;
  readonly acknowledged: number;
  /** Numbers that the database has not, and that it has once more. */
  readonly lost: number;
  readonly twice: number;
  readonly sessions: number;
  /** Sessions that ended though their device did not renew, and their certificate had not ended. */
  readonly cut: number;
  readonly hubCertificates: number;
  readonly longestGapMs: number;
  readonly longestWaitMs: number;
  /** What else was not as it should be. */
  readonly troubles: readonly string[];
}

/**
 * A real hub and a real agent, certificates that live for seconds, and what became of each report after so
 * many minutes.
 */
export async function renewalRun({ minutes, deviceMs, hubMs, say, after }: RunOptions): Promise<RunResult> {
  const hub = await startHub({ folder: await temporaryFolder(), deviceMs, hubMs }, after);
  await publish(hub, VERSION);
  // It does not renew: its session lasts as long as its certificate, whatever the hub does with its own.
  const enrolled = await enrol(hub, LISTENER);
  const listener = connectDevice(enrolled, hub);
  after(() => void listener.end(true));
  let ended = 0;
  const ends = validityOf(enrolled.certificate).to;
  listener.on('close', () => {
    if (Date.now() < ends) ended += 1;
  });
  // A file is played faster than life: scenes that change would make more events than a device may send.
  const input = join(await temporaryFolder(), 'dark.mkv');
  greyVideo(input, [{ level: 60, seconds: 60 }]);
  const agent = await agentOf({ after }, hub, { device: DEVICE, kind: 'live', input });
  await until('the device serves', () => isServing(hub), 60);

  const { used: before } = await renewalsOf(hub.folder, DEVICE);
  const [links, spool, doors] = [new LinkWatch(), new SpoolWatch(), new DoorWatch()];
  const folder = join(agent.state, 'spool');
  const enough = new AbortController();
  const watching = Promise.all([
    links.run(hub, DEVICE, enough.signal),
    spool.run(folder, enough.signal),
    doors.run(hub, enough.signal),
  ]);
  const end = performance.now() + minutes * 60_000;
  while (performance.now() < end) {
    await Promise.race([sleep(Math.min(end - performance.now(), SAY_MS)), watching]);
    const { used } = await renewalsOf(hub.folder, DEVICE);
    const left = Math.max(0, Math.round((end - performance.now()) / 1000));
    const seen = `${links.sessions} sessions, ${doors.https.size} certificates of the hub`;
    say(`${left} s left: ${used} renewals, ${seen}, longest gap ${seconds(links.longestGapMs)} s`);
  }
  const { reports, acknowledged } = await spooledReports(folder);
  enough.abort();
  await watching;
  const { given, used } = await renewalsOf(hub.folder, DEVICE);
  const { missingWindows, refusedReports, refusal } = await callBy(hub, fleet.show, {
    params: { id: DEVICE },
  });
  const cut = ended + Math.max(0, links.sessions - (used - before) - 1);
  agent.child.kill('SIGTERM');
  await once(agent.child, 'exit');
  const stored = await storedReports(hub.folder, DEVICE, reports);
  const counted = await countedInferences(hub, VERSION);
  listener.end(true);
  hub.child.kill('SIGTERM');
  await once(hub.child, 'exit');
  const troubles = [
    missingWindows > 0 && `the hub misses ${missingWindows} windows`,
    refusedReports > 0 && `the hub has refused ${refusedReports} messages: ${refusal?.message}`,
    counted !== stored.inferences &&
      `the hub has counted ${counted} inferences, and its reports have ${stored.inferences}`,
    // The last look may have come between the two.
    Math.abs(doors.mqtt.size - doors.https.size) > 1 &&
      `${doors.https.size} certificates of the hub over HTTPS, ${doors.mqtt.size} over MQTT`,
    /^.*\berror (identity|unauthorized).*$/m.exec(agent.words())?.[0] ?? false,
    /^.*\bspool: .*$/m.exec(agent.words())?.[0] ?? false,
  ].filter((line) => typeof line === 'string');
  return {
    certificates: given + 1,
    renewals: used,
    reports,
    acknowledged,
    lost: stored.lost,
    twice: stored.twice,
    sessions: links.sessions,
    cut,
    hubCertificates: doors.https.size,
    longestGapMs: links.longestGapMs,
    longestWaitMs: spool.longestWaitMs,
    troubles,
  };
}

/** Its model is proved; not yet where it has not enrolled either. */
async function isServing(hub: HubAddress): Promise<boolean> {
  const { devices } = await callBy(hub, fleet.list, { query: {} });
  return devices.some(({ id, versions }) => id === DEVICE && versions.slot === 'confirmed');
}

export function seconds(milliseconds: number): number {
  return Math.round(milliseconds / 100) / 10;
}
