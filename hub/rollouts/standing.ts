import { wrongAnswers } from '@adbreak/shared/evidence/wrong.js';
import { isApart, isTakenOut } from './apart.js';
import { addTallies, byName, type DeviceEvidence, perRevision, type Tally, totalOf } from './evidence.js';
import { type CountedEvidence, differenceOf, type GateCluster, leastOf, weigh } from './gate.js';
import type { Rollout, Summary } from './rollout.js';

/** The evidence that counts, and what it weighs: one reading of a rollout for the gate, the explanation and the page. */
export interface Standing extends CountedEvidence {
  /** Devices with evidence that counts. */
  readonly devices: readonly { readonly id: string; readonly device: DeviceEvidence }[];
  /** What control items say of the answers. */
  readonly controls: ReturnType<typeof wrongAnswers>;
}

type Readable = Pick<Rollout, 'evidence' | 'plan' | 'setAside' | 'excluded'>;

/** The devices that are not judged apart, added up by channel; pure. */
export function standingOf(state: Readable): Standing {
  const controls = controlsOf(state);
  return { ...added(state), days: Object.values(wholeDays(state.evidence)), wrong: controls.used, controls };
}

/** One pass over the devices. */
const added = perRevision((state: Readable): Pick<Standing, 'devices' | 'clusters' | 'channelsApart'> => {
  const clusters = new Map<string, Tally[]>();
  const devices: { id: string; device: DeviceEvidence }[] = [];
  const apart = new Set<string>();
  for (const [id, device] of byName(state.evidence.devices)) {
    let counts = false;
    for (const { cluster, tallies } of device.parts) {
      if (isApart(id, device, cluster, state)) {
        apart.add(cluster);
        continue;
      }
      counts = true;
      const own = clusters.get(cluster) ?? [];
      addTallies(own, tallies);
      clusters.set(cluster, own);
    }
    if (counts) devices.push({ id, device });
  }
  return {
    devices,
    clusters: [...clusters]
      .map(([id, tallies]): GateCluster => ({ id, tallies }))
      .sort((a, b) => (a.id < b.id ? -1 : 1)),
    channelsApart: [...apart].filter((cluster) => !clusters.has(cluster)).length,
  };
});

/** Days of which enough was seen: at least half of the median day's episodes. The hour before midnight in which a rollout began is no day, nor is a morning. */
export function wholeDays({ days }: Pick<Rollout['evidence'], 'days'>): Rollout['evidence']['days'] {
  const all = Object.entries(days).map(([day, tallies]) => ({
    day,
    tallies,
    episodes: totalOf(tallies).episodes,
  }));
  const sorted = all.map(({ episodes }) => episodes).sort((a, b) => a - b);
  const median = sorted[sorted.length >> 1] ?? 0;
  return Object.fromEntries(
    all.filter(({ episodes }) => 2 * episodes >= median).map(({ day, tallies }) => [day, tallies]),
  );
}

/** The labellers' share of wrong answers; no one device alone can make the gate distrust all others. */
export function controlsOf({
  evidence,
  plan,
  setAside,
}: Pick<Rollout, 'evidence' | 'plan' | 'setAside'>): ReturnType<typeof wrongAnswers> {
  const items = Object.entries(evidence.devices)
    .filter(([id]) => !isTakenOut(id, { setAside }))
    .flatMap(
      ([
        ,
        {
          control: { answered, wrong },
        },
      ]) => (answered > 0 ? [{ answered, wrong: Math.min(wrong, answered) }] : []),
    )
    .map(readable);
  const all = wrongAnswers(items, plan.wrong);
  if (items.length < LEAST_LABELLERS || all.used === plan.wrong) return all;
  const worst = items.reduce((most, one) => (one.wrong > most.wrong ? one : most));
  const others = wrongAnswers(
    items.filter((one) => one !== worst),
    plan.wrong,
  );
  return { ...all, used: Math.min(all.used, others.used) };
}
/** Of so many people who were tested, the one with most wrong answers decides nothing alone. */
const LEAST_LABELLERS = 3;
/** Nobody answers more in a rollout; a device that says so is read as this many, at its share. */
const MOST_ITEMS = 10_000;
function readable({ answered, wrong }: { readonly answered: number; readonly wrong: number }) {
  const most = Math.min(MOST_ITEMS, answered);
  return { answered: most, wrong: Math.round((wrong / answered) * most) };
}

/** Distinct episodes that count so far. */
export function episodesIn({ clusters }: Pick<Standing, 'clusters'>): number {
  return clusters.reduce((sum, { tallies }) => sum + totalOf(tallies).episodes, 0);
}
export function episodesOf(state: Readable): number {
  return episodesIn(standingOf(state));
}

/** What stays known of a rollout that has ended. */
export function summaryOf(state: Readable): Summary {
  const standing = standingOf(state);
  const weighed = weigh(standing, state.plan);
  const { totals, channels, days } = weighed;
  return {
    ...totals,
    channels,
    days,
    devices: standing.devices.length,
    difference: differenceOf(standing, state.plan),
    harm: leastOf(weighed.harm),
    promotion: leastOf(weighed.promotion),
  };
}

/** Answered disagreements of the device that gave most, and of all. */
export function answersOf({ devices }: Pick<Standing, 'devices'>): {
  readonly most: { readonly device: string; readonly n: number } | null;
  readonly all: number;
} {
  let [most, all]: [{ device: string; n: number } | null, number] = [null, 0];
  for (const { id, device } of devices) {
    const { wins, losses } = totalOf(device.own);
    all += wins + losses;
    if (wins + losses > (most?.n ?? 0)) most = { device: id, n: wins + losses };
  }
  return { most, all };
}
