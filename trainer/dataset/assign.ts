import { AdbreakError } from '@adbreak/shared/errors.js';
import type { Random } from '@adbreak/shared/random.js';
import type { Label } from '@adbreak/shared/video/labels.js';
import type { Candidate, Group } from './groups.js';
import { type Counts, type FitSplit, SPLITS, type SplitRatio, type Targets, targetsOf } from './ratio.js';
import { LABELS } from './scan.js';

/**
 * Which pictures are taken where not all are: half of each label as far as there are so many, and of each set of
 * near-duplicates one before any gives a second, so that what is left out is what tells least.
 */
export function draw<C extends Candidate>(candidates: readonly C[], limit: number, random: Random): Set<C> {
  if (candidates.length <= limit) return new Set(candidates);
  const counts = countsOf(candidates);
  const ads = Math.min(counts.ad, Math.max(Math.floor(limit / 2), limit - counts.content));
  const quotas: Counts = { ad: ads, content: limit - ads };
  const rounds: C[][] = [];
  for (const set of random.shuffle(nearDuplicatesIn(candidates)))
    random.shuffle(set).forEach((member, round) => {
      rounds[round] ??= [];
      rounds[round].push(member);
    });
  return new Set(rounds.flat().filter(({ label }) => quotas[label]-- > 0));
}

function nearDuplicatesIn<C extends Candidate>(candidates: readonly C[]): C[][] {
  const sets = new Map<number, C[]>();
  for (const candidate of candidates) {
    const own = sets.get(candidate.near);
    if (own === undefined) sets.set(candidate.near, [candidate]);
    else own.push(candidate);
  }
  return [...sets.values()];
}

export function countsOf(pictures: readonly Pick<Candidate, 'label'>[]): Counts {
  const ad = pictures.filter(({ label }) => label === 'ad').length;
  return { ad, content: pictures.length - ad };
}

export interface Assignment<C> {
  readonly splits: ReadonlyMap<C, FitSplit>;
  /** Left out, since near-duplicates of them are in another split. */
  readonly shared: readonly C[];
  readonly targets: Targets;
}

/**
 * Puts each group into one split, the largest first, each where it brings the splits' labels nearest to what the ratio asks
 * (least sum of squared errors over targets); then takes near-duplicates that two recordings share, such as a spot that
 * aired in both, out of all splits but the one that has most of them.
 */
export function assign<C extends Candidate>(
  groups: readonly Group<C>[],
  ratio: SplitRatio,
  random: Random,
): Assignment<C> {
  const all = groups.flatMap(({ members }) => members);
  const targets = targetsOf(countsOf(all), ratio);
  const have: Targets = { train: none(), val: none(), test: none() };
  const splits = new Map<C, FitSplit>();
  const place = ({ members }: Group<C>, split: FitSplit) => {
    for (const member of members) splits.set(member, split);
    const own = countsOf(members);
    for (const label of LABELS) have[split][label] += own[label];
  };
  for (const group of groups) if (group.split !== null) place(group, group.split);
  const free = random
    .shuffle(groups.filter(({ split }) => split === null))
    .map((group) => ({ group, own: countsOf(group.members) }))
    .sort((a, b) => b.group.members.length - a.group.members.length);
  const left: Counts = none();
  for (const { own } of free) for (const label of LABELS) left[label] += Number(own[label] > 0);
  for (const { group, own } of free) {
    place(group, bestSplit(own, { have, targets, options: splitsFor(own, have, left) }));
    for (const label of LABELS) left[label] -= Number(own[label] > 0);
  }
  const shared = sharedOf(splits);
  for (const picture of shared) splits.delete(picture);
  return { splits, shared, targets };
}

/**
 * Where a group may go: anywhere, unless as many splits are still without a label as there are groups left that have it.
 * `left` counts those, with this one.
 */
function splitsFor(own: Counts, have: Targets, left: Counts): readonly FitSplit[] {
  const without = (label: Label) => SPLITS.filter((split) => have[split][label] === 0);
  const needy = LABELS.filter((label) => own[label] > 0 && left[label] <= without(label).length).flatMap(
    without,
  );
  return needy.length > 0 ? needy : SPLITS;
}

interface Standing {
  readonly have: Targets;
  readonly targets: Targets;
  readonly options: readonly FitSplit[];
}

function bestSplit(own: Counts, { have, targets, options }: Standing): FitSplit {
  const costOf = (split: FitSplit) =>
    LABELS.reduce((sum, label) => {
      const error = have[split][label] - targets[split][label];
      return sum + ((error + own[label]) ** 2 - error ** 2) / Math.max(0.5, targets[split][label]);
    }, 0);
  const costs = options.map((split) => ({ split, cost: costOf(split) })).sort((a, b) => a.cost - b.cost);
  return costs[0]?.split ?? 'train';
}

function sharedOf<C extends Candidate>(splits: ReadonlyMap<C, FitSplit>): C[] {
  const votes = new Map<number, Record<FitSplit, number>>();
  for (const [{ near }, split] of splits) {
    const own = votes.get(near) ?? { train: 0, val: 0, test: 0 };
    own[split] += 1;
    votes.set(near, own);
  }
  const home = new Map(
    [...votes].map(([near, own]) => [near, [...SPLITS].sort((a, b) => own[b] - own[a])[0]]),
  );
  return [...splits].flatMap(([picture, split]) => (home.get(picture.near) === split ? [] : [picture]));
}

/** Refuses what nothing can be learnt or judged from: a split without pictures of a label. Throws `dataset_invalid`. */
export function refuseEmpty(splits: ReadonlyMap<Candidate, FitSplit>): void {
  const pictures = [...splits.keys()];
  for (const label of LABELS) {
    const count = countsOf(pictures)[label];
    for (const split of SPLITS) {
      if (countsOf(pictures.filter((picture) => splits.get(picture) === split))[label] > 0) continue;
      throw new AdbreakError(
        'dataset_invalid',
        `Cannot split: ${split} would have no ${label}, of ${count} ${label} pictures in all`,
        { remedy: remedyFor(count) },
      );
    }
  }
}

function remedyFor(count: number): string {
  return count < SPLITS.length
    ? 'Give more pictures: each of train, val and test needs some of both labels.'
    : 'Give more or longer recordings, or pictures of more scenes, as what belongs together stays together; where folders or names of pictures are no recordings, say --recordings none.';
}

function none(): Counts {
  return { ad: 0, content: 0 };
}
