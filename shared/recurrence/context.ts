import type { Place } from './match.js';
import { byPlace, lengthOf } from './occurrences.js';
import type { Group } from './spots.js';
import type { Track } from './track.js';

/** Where the airings of a group stood. */
export interface Standing {
  readonly airings: number;
  /** Among others like it: in a chain of short pieces. */
  readonly inBreaks: number;
  /** First or last of what is no channel's own in its chain. */
  readonly atEdges: number;
  /** Logarithm of the odds that it is the channel's own, which stands at edges, and no advertisement, which stands anywhere. */
  readonly ownOdds: number;
}
export interface Breaks {
  /** One for each group. */
  readonly standings: readonly Standing[];
  /** Commercial breaks, without what the channel says of itself at their edges. */
  readonly breaks: readonly Place[];
}

/** Pieces of a break are no longer than this, seconds. */
const LONGEST_PIECE = 95;
const SHORTEST_PIECE = 3;
/** What aired once, between hard cuts, is not seen: so long may a hole in a break be. No programme is so short. */
const LONGEST_HOLE = 65;
/** A chain of so many pieces, together so long, is a break. */
const PIECES = 2;
const SHORTEST_BREAK = 20;
/** How often the channel's own is first or last in its break; an advertisement in a break of n is in 2 of n. */
const OWN_AT_EDGES = 0.95;
/** Odds before its places are known: of five things that recur in breaks, one is the channel's own. */
const PRIOR = Math.log(1 / 4);
/** Before anything is known, and how often what is known of one is told to the others: trailers stand before trailers. */
const UNKNOWN = 0.4;
const ROUNDS = 12;

interface Piece extends Place {
  /** The group; null for what aired once. */
  readonly group: number | null;
}

/** Whether something stands where a channel speaks of itself. */
export function isOwn({ ownOdds }: Standing): boolean {
  return ownOdds > 0;
}

/**
 * Commercial breaks: chains of short pieces, which are what recurs, what two gaps enclose, and what fills the holes between.
 * What stands at their edges, but for others of its kind, is the channel's own and no part of them; which that is, is
 * found together for all (mean field).
 */
export function breaksOf(
  groups: readonly Group[],
  tracks: readonly Track[],
  isReplay: (group: number) => boolean,
): Breaks {
  const recurring = groups
    .flatMap(({ airings }, group) => airings.map((place): Piece => ({ ...place, group })))
    .filter((piece) => lengthOf(piece) <= LONGEST_PIECE && !isReplay(piece.group ?? -1));
  const once = tracks.flatMap((track, recording) => enclosed(track, recording, recurring));
  const chains = chainsOf([...recurring, ...once].sort(byPlace)).filter(isBreak);
  let own = groups.map(() => UNKNOWN);
  let standings: Standing[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    standings = standingsOf(groups, chains, own);
    own = standings.map(({ ownOdds }) => 1 / (1 + Math.exp(-ownOdds)));
  }
  const isContent = ({ group }: Piece) => group !== null && (own[group] ?? 0) > 0.5;
  return { standings, breaks: chains.flatMap((chain) => withoutEdges(chain, isContent)) };
}

function withoutEdges(chain: readonly Piece[], isContent: (piece: Piece) => boolean): Place[] {
  const [first, last] = [
    chain.findIndex((piece) => !isContent(piece)),
    chain.findLastIndex((piece) => !isContent(piece)),
  ];
  return first === -1 ? [] : [wholeOf(chain.slice(first, last + 1))];
}

function standingsOf(
  groups: readonly Group[],
  chains: readonly (readonly Piece[])[],
  own: readonly number[],
): Standing[] {
  const standings = groups.map(({ airings }) => ({
    airings: airings.length,
    inBreaks: 0,
    atEdges: 0,
    ownOdds: PRIOR,
  }));
  for (const chain of chains) {
    const chance = Math.min(0.99, 2 / chain.length);
    const edges = edgesOf(chain, own);
    chain.forEach(({ group }, i) => {
      const standing = group === null ? undefined : standings[group];
      if (standing === undefined) return;
      const edge = edges[i] ?? 0;
      standing.inBreaks += 1;
      standing.atEdges += edge > 0.5 ? 1 : 0;
      standing.ownOdds +=
        edge * Math.log(OWN_AT_EDGES / chance) + (1 - edge) * Math.log((1 - OWN_AT_EDGES) / (1 - chance));
    });
  }
  return standings;
}

/** How likely each piece has nothing but the channel's own on one of its sides. */
function edgesOf(chain: readonly Piece[], own: readonly number[]): number[] {
  const before = (pieces: readonly Piece[]) => {
    let all = 1;
    return pieces.map(({ group }) => {
      const edge = all;
      all *= group === null ? 0 : (own[group] ?? 0);
      return edge;
    });
  };
  const [left, right] = [before(chain), before([...chain].reverse()).reverse()];
  return left.map((edge, i) => Math.max(edge, right[i] ?? 0));
}

function isBreak(chain: readonly Piece[]): boolean {
  return chain.length >= PIECES && lengthOf(wholeOf(chain)) >= SHORTEST_BREAK;
}

function wholeOf(chain: readonly Piece[]): Place {
  return {
    recording: chain[0]?.recording ?? 0,
    start: chain[0]?.start ?? 0,
    end: Math.max(...chain.map(({ end }) => end)),
  };
}

/** What lies between two gaps and is nothing that recurs: advertisements that aired once. */
function enclosed(track: Track, recording: number, known: readonly Piece[]): Piece[] {
  const here = known.filter((piece) => piece.recording === recording);
  const { gaps } = track;
  return gaps.slice(1).flatMap(({ start: end }, i): Piece[] => {
    const start = gaps[i]?.end ?? end;
    if (end - start < SHORTEST_PIECE || end - start > LONGEST_PIECE) return [];
    const isKnown = here.some((one) => one.start < end - 0.5 && one.end > start + 0.5);
    return isKnown ? [] : [{ recording, start, end, group: null }];
  });
}

/** Pieces in order, and what fills the holes between them. */
function chainsOf(pieces: readonly Piece[]): Piece[][] {
  const chains: Piece[][] = [];
  // The farthest end so far, not the last one's: a short piece may lie within a longer.
  let until = 0;
  for (const piece of pieces) {
    const open = chains.at(-1);
    const isHere = open?.at(-1)?.recording === piece.recording;
    const hole = isHere ? piece.start - until : Number.POSITIVE_INFINITY;
    if (open === undefined || hole > LONGEST_HOLE) chains.push([piece]);
    else if (hole < SHORTEST_PIECE) open.push(piece);
    else open.push({ recording: piece.recording, start: until, end: piece.start, group: null }, piece);
    until = hole > LONGEST_HOLE ? piece.end : Math.max(until, piece.end);
  }
  return chains;
}
