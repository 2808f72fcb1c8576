import { ClusterLikelihood } from '@adbreak/shared/evidence/clusters.js';
import { findOutliers } from '@adbreak/shared/evidence/outlier.js';
import { clusterOf, logHarm, mostHarm, type Tallies } from '@adbreak/shared/evidence/tally.js';
import { ownValue } from '@adbreak/shared/own-value.js';
import {
  addTallies,
  byName,
  type DeviceEvidence,
  perRevision,
  sumOf,
  type Tally,
  totalOf,
} from './evidence.js';
import { SMALL_FLEET } from './gate.js';
import type { Plan } from './plan.js';
import type { Rollout } from './rollout.js';
import { sliceName, slicesOfDevice } from './slices.js';
import { evalue, percent, points } from './words.js';

/**
 * Who is judged apart, and stays on production while the rollout goes on: slices in which the candidate is worse by more
 * than the margin, and single devices that are unlike all others. docs/gate.md, "Slices" and "Broken units". Pure.
 */

/** A unit differs honestly by a few points for ever; its own case begins far outside of that. */
const LEAST_DIFFERENCE = 0.1;
const leastDifference = ({ margin }: Pick<Plan, 'margin'>): number => Math.max(LEAST_DIFFERENCE, 2 * margin);

export type Membership = Pick<Rollout, 'excluded' | 'setAside'>;

/**
 * The slice or device for which one is judged apart; null where it counts with the others. A device that ever named a site or
 * hardware that is judged apart is of it, whatever it calls itself since: its averages there cannot be told from the rest.
 */
export function apartBy(
  id: string,
  slice: DeviceEvidence['slice'] | null,
  { excluded, setAside }: Membership,
  named: DeviceEvidence['named'] = [],
): string | null {
  if (Object.hasOwn(setAside, id)) return `device=${id}`;
  // Asked of every device at every look: names are made where there is something to find.
  if (isEmpty(excluded)) return null;
  const ever = named.flatMap((place) => {
    const [, site = '', hardware = ''] = place.split('\n');
    return [`site=${site}`, `hardware=${hardware}`];
  });
  return (
    [...(slice === null ? [] : slicesOfDevice(slice)), ...ever].find((name) =>
      Object.hasOwn(excluded, name),
    ) ?? null
  );
}

/** Whether what a device says of a cluster is judged apart: for closing windows, for what counts, for drift. What was seen on a channel stays with it, wherever the device watches now. */
export function isApart(
  id: string,
  device: Pick<DeviceEvidence, 'named'> | undefined,
  cluster: string,
  state: Membership,
): boolean {
  if (isEmpty(state.excluded) && isEmpty(state.setAside)) return false;
  return Object.hasOwn(state.excluded, cluster) || apartBy(id, null, state, device?.named) !== null;
}

/**
 * Whether a person has taken a device's evidence out. Nothing of it counts then, neither its answers to control items
 * nor its silence nor its troubles.
 */
export function isTakenOut(id: string, { setAside }: Pick<Membership, 'setAside'>): boolean {
  return ownValue(setAside, id)?.who !== undefined;
}
/** The devices of which a person has said so, also those that are no members any more. */
export function takenOut({ setAside }: Pick<Membership, 'setAside'>): string[] {
  return Object.keys(setAside).filter((id) => isTakenOut(id, { setAside }));
}

/** Without a list of its names: asked of every device at every look. */
export function isEmpty(record: object): boolean {
  for (const _ in record) return false;
  return true;
}

export interface SliceEvidence {
  readonly name: string;
  readonly devices: readonly string[];
  /** By channel, averaged inside the slice. */
  readonly clusters: readonly Tallies[];
}

/** The evidence by slice, of devices that are not set aside; excluded slices among them. One pass over the devices. */
export function sliceEvidence({
  evidence,
  plan,
  setAside,
}: Pick<Rollout, 'evidence' | 'plan' | 'setAside'>): SliceEvidence[] {
  const slices = new Map<string, { devices: string[]; clusters: Map<string, Tally[]> }>();
  const place = (name: string) => {
    const known = slices.get(name) ?? { devices: [], clusters: new Map<string, Tally[]>() };
    slices.set(name, known);
    return known;
  };
  const add = (name: string, cluster: string, tallies: Tallies) => {
    const { clusters } = place(name);
    const own = clusters.get(cluster) ?? [];
    addTallies(own, tallies);
    clusters.set(cluster, own);
  };
  for (const [id, device] of byName(evidence.devices)) {
    if (Object.hasOwn(setAside, id)) continue;
    for (const dimension of plan.slices) place(sliceName(dimension, device.slice)).devices.push(id);
    for (const part of device.parts) {
      // A device without a named channel is in no channel's slice.
      if (plan.slices.includes('channel') && part.cluster.startsWith('channel='))
        add(part.cluster, part.cluster, part.tallies);
      for (const [name, tallies] of Object.entries(part.slices)) add(name, part.cluster, tallies);
    }
  }
  return [...slices]
    .map(([name, { devices, clusters }]) => ({ name, devices, clusters: [...clusters.values()] }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

const inOne = (clusters: readonly Tallies[]) => sumOf(clusters.map((tallies) => ({ tallies })));

/**
 * ln of the evidence that the candidate is worse in a slice by more than the margin; where all episodes alike show less than
 * `enough`, theirs alone, which is no less.
 */
export function harmInSlice(
  { clusters }: Pick<SliceEvidence, 'clusters'>,
  { margin }: Pick<Plan, 'margin'>,
  wrong: number,
  enough = 0,
): number {
  const pooled = logHarm(inOne(clusters), { tolerance: margin, wrong });
  if (clusters.length < SMALL_FLEET || pooled <= 0 || pooled < enough) return pooled;
  const fleet = new ClusterLikelihood(
    clusters.map((tallies) => clusterOf(tallies, 'harm', wrong)),
    { clip: true },
  );
  return Math.min(pooled, fleet.logHarm(margin));
}

export type Found = { readonly kind: 'slice' | 'device'; readonly name: string; readonly reason: string };
type FoundSlice = Found & Pick<SliceEvidence, 'devices'>;

/** Slices and devices that must be judged apart from now on. */
export const findApart = perRevision(
  (state: Pick<Rollout, 'evidence' | 'plan' | 'setAside' | 'excluded'>, wrong: number): Found[] => {
    const [units, slices] = [brokenUnits(state, wrong), worseSlices(state, wrong)];
    // Where a slice is worse, its devices are no broken units: what differs is what they watch.
    const unlike = new Set(units.map(({ name }) => name));
    const explained = new Set(
      slices.flatMap(({ devices }) => {
        const among = devices.filter((id) => unlike.has(id));
        return among.length > 1 && 2 * among.length > devices.length ? among : [];
      }),
    );
    return [...units.filter(({ name }) => !explained.has(name)), ...slices];
  },
);

function worseSlices(
  state: Pick<Rollout, 'evidence' | 'plan' | 'setAside' | 'excluded'>,
  wrong: number,
): FoundSlice[] {
  const { plan, excluded } = state;
  const slices = sliceEvidence(state);
  const devices = slices.reduce((most, one) => Math.max(most, one.devices.length), 0);
  const threshold = Math.log(Math.max(1, slices.length) / plan.alphaSlices);
  return slices.flatMap((slice): FoundSlice[] => {
    if (Object.hasOwn(excluded, slice.name)) return [];
    // A slice that is the whole fleet is no slice: the fleet's own evidence decides about it.
    if (slice.devices.length === devices && holdsAll(slice, state)) return [];
    // Most slices of a fleet cannot, at every look.
    if (mostHarm(inOne(slice.clusters), { tolerance: plan.margin, wrong }) < threshold) return [];
    const log = harmInSlice(slice, plan, wrong, threshold);
    if (log < threshold || isOneUnit(slice, state, wrong, log)) return [];
    const { wins, losses, episodes } = totalOf(slice.clusters.flat());
    return [
      {
        kind: 'slice',
        name: slice.name,
        devices: slice.devices,
        reason: `worse in ${slice.name} by more than ${points(plan.margin)}: ${losses.toFixed(0)} lost, ${wins.toFixed(0)} won in ${episodes.toFixed(0)} episodes there; H = ${evalue(log)} ≥ ${evalue(threshold)}, the threshold of ${slices.length} slices`,
      },
    ];
  });
}

/**
 * Whether one device makes the slice look bad: it differs by what its own case begins at, and the others hold less than half
 * of the evidence that would be their share. The slice waits then: soon the device is set aside by its own evidence, or the others have shown the same.
 */
function isOneUnit(
  { name, devices }: SliceEvidence,
  state: Pick<Rollout, 'evidence' | 'plan' | 'setAside'>,
  wrong: number,
  log: number,
): boolean {
  if (devices.length < 2) return false;
  const meanOf = (id: string) =>
    clusterOf(ownValue(state.evidence.devices, id)?.own ?? [], 'harm', wrong).mean;
  const worst = devices.reduce((lowest, id) => (meanOf(id) < meanOf(lowest) ? id : lowest));
  if (meanOf(worst) > -leastDifference(state.plan)) return false;
  const setAside = { ...state.setAside, [worst]: { at: '', reason: '' } };
  const others = sliceEvidence({ ...state, setAside }).find((one) => one.name === name);
  return (
    others === undefined ||
    harmInSlice(others, state.plan, wrong) < (0.5 * log * (devices.length - 1)) / devices.length
  );
}

function holdsAll(
  { devices }: SliceEvidence,
  { evidence, setAside }: Pick<Rollout, 'evidence' | 'setAside'>,
): boolean {
  return devices.length === Object.keys(evidence.devices).filter((id) => !Object.hasOwn(setAside, id)).length;
}

function brokenUnits(
  { evidence, plan, setAside, excluded }: Pick<Rollout, 'evidence' | 'plan' | 'setAside' | 'excluded'>,
  wrong: number,
): Found[] {
  const devices = byName(evidence.devices).filter(
    ([id, one]) =>
      one.own.length > 0 &&
      // Its own counts hold what it saw on a channel where everybody loses.
      ![one, ...one.parts].some(({ cluster }) => isApart(id, one, cluster, { setAside, excluded })),
  );
  if (devices.length < SMALL_FLEET) return [];
  const { low, high, units } = findOutliers(
    devices.map(([, { own }]) => own),
    { least: leastDifference(plan), wrong },
  );
  const threshold = Math.log((2 * devices.length) / plan.alphaSlices);
  return devices.flatMap(([id, device], i): Found[] => {
    const { below, above } = units[i] ?? { below: 0, above: 0 };
    if (Math.max(below, above) < threshold) return [];
    const { wins, losses, episodes } = totalOf(device.own);
    const beyond = below >= above ? `below ${percent(low)}` : `above ${percent(high)}`;
    return [
      {
        kind: 'device',
        name: id,
        reason: `${id} is unlike all others: ${losses} lost, ${wins} won in ${episodes} episodes, a difference ${beyond}, where the others lie within (E = ${evalue(Math.max(below, above))} ≥ ${evalue(threshold)}); it watches ${device.slice.channel} at ${device.slice.site} on ${device.slice.hardware}`,
      },
    ];
  });
}

/** Why too much of the fleet is judged apart to go on, in words; null where it is not. */
export function tooManyApart(
  state: Pick<Rollout, 'evidence' | 'plan' | 'members' | 'setAside' | 'excluded'>,
): string | null {
  const { plan, members } = state;
  const by = members.map((id) => {
    const device = ownValue(state.evidence.devices, id);
    return apartBy(id, device?.slice ?? null, state, device?.named);
  });
  const alone = by.filter((one) => one?.startsWith('device=') === true).length;
  const inSlices = by.filter((one) => one !== null).length - alone;
  // One broken device is its own case in a small fleet too.
  if (alone > Math.max(1, plan.maxSetAside * members.length))
    return `${alone} of ${members.length} devices are ${asideText(takenOut(state).length)}; at most ${percent(plan.maxSetAside)} may be set aside`;
  if (inSlices > plan.maxExcluded * members.length)
    return `the slices in which the candidate is worse (${Object.keys(state.excluded).join(', ')}) hold ${inSlices} of ${members.length} devices; at most ${percent(plan.maxExcluded)} may stay on production`;
  return null;
}

/**
 * Why the gate lets nothing pass since devices whose evidence was taken out have left, as those do that were revoked; null
 * where it may. Pis that are given up take no version back, and nobody gets past the gate by revoking who disagrees.
 */
export function tooManyGone({
  plan,
  members,
  setAside,
}: Pick<Rollout, 'plan' | 'members' | 'setAside'>): string | null {
  const there = new Set(members);
  const alone = members.filter((id) => Object.hasOwn(setAside, id)).length;
  const gone = takenOut({ setAside }).filter((id) => !there.has(id)).length;
  if (gone === 0 || alone + gone <= Math.max(1, plan.maxSetAside * (members.length + gone))) return null;
  return `${gone} devices that gave evidence are gone since, as revoked ones are; with ${alone} that are set aside more than ${percent(plan.maxSetAside)}: a person decides, \`force\` or \`abort\``;
}

function asideText(taken: number): string {
  return taken === 0 ? 'unlike the others' : `set aside, ${taken} of them by a person's word`;
}
