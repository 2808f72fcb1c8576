import { createHash } from 'node:crypto';
import type { Where } from './plan.js';
import { channelKey } from './slices.js';

/** What decides where a device belongs. */
export interface Member {
  readonly id: string;
  readonly slice: { readonly channel: string; readonly site: string; readonly hardware: string } | null;
  readonly tags: Readonly<Record<string, string>>;
}

export function reaches(where: Where | undefined, { slice, tags }: Member): boolean {
  if (where === undefined) return true;
  const among = (wanted: readonly string[] | undefined, value: string | undefined) =>
    wanted === undefined || (value !== undefined && wanted.includes(value));
  return (
    among(where.channel?.map(channelKey), slice === null ? undefined : channelKey(slice.channel)) &&
    among(where.site, slice?.site) &&
    among(where.hardware, slice?.hardware) &&
    Object.entries(where.tags ?? {}).every(([key, value]) => tags[key] === value)
  );
}

/**
 * The devices on which a candidate acts. The order is a hash of rollout and device, so nobody chooses it. Each slice gives
 * its share (largest remainders), and who acts already goes on acting: the 10 % stay in the 50 %, and devices that come or
 * go push nobody out. At least one device as soon as the share is above zero.
 */
export function cohort(
  rollout: string,
  members: readonly Member[],
  percent: number,
  acting: ReadonlySet<string> = new Set(),
): Set<string> {
  if (percent <= 0) return new Set();
  const ranked = members
    .map((member) => ({
      ...member,
      rank: createHash('sha256').update(`${rollout}\0${member.id}`).digest('hex'),
    }))
    .sort((a, b) => (a.rank < b.rank ? -1 : 1));
  const kept = new Set(ranked.filter(({ id }) => acting.has(id)).map(({ id }) => id));
  const strata = new Map<string, typeof ranked>();
  for (const member of ranked) {
    const key =
      member.slice === null
        ? ''
        : JSON.stringify([channelKey(member.slice.channel), member.slice.site, member.slice.hardware]);
    const stratum = strata.get(key) ?? [];
    stratum.push(member);
    strata.set(key, stratum);
  }
  const shares = [...strata.values()].map((stratum) => {
    const exact = (stratum.length * percent) / 100;
    const have = stratum.filter(({ id }) => kept.has(id)).length;
    return {
      stratum,
      whole: Math.max(Math.floor(exact), have),
      rest: have > exact ? -1 : exact - Math.floor(exact),
      first: stratum[0]?.rank ?? '',
    };
  });
  const quota = Math.max(1, Math.round((members.length * percent) / 100));
  let left = quota - shares.reduce((sum, { whole }) => sum + whole, 0);
  const result = new Set(kept);
  for (const share of shares.sort((a, b) => b.rest - a.rest || (a.first < b.first ? -1 : 1))) {
    const extra = left > 0 && share.whole < share.stratum.length ? 1 : 0;
    left -= extra;
    const open = share.whole + extra - share.stratum.filter(({ id }) => kept.has(id)).length;
    for (const { id } of share.stratum.filter((one) => !kept.has(one.id)).slice(0, Math.max(0, open)))
      result.add(id);
  }
  return result;
}
