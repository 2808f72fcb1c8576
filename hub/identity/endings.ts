import type { HubState } from '../store/state.js';

const DAY_MS = 24 * 3_600_000;
/** So long before its end something is named, and after it. */
const TOLD_MS = 30 * DAY_MS;
/** Of what lives for a short time, the last part of it. */
const TOLD_SHARE = 1 / 4;

/** What opens the hub and will not for long, or has just ended. */
interface Ending {
  /** `token first`, `the certificate of operator desk`. */
  readonly what: string;
  readonly ends: string;
  readonly over: boolean;
  readonly mend: string;
}

/** Tokens and operators' certificates that end soon, the soonest first: nobody is there when they stop. Pure. */
export function endings({ tokens, operators }: Readonly<HubState>, now: Date): Ending[] {
  const found: Ending[] = [];
  const add = (what: string, from: string, ends: string, mend: string) => {
    if (isNear(from, ends, now)) found.push({ what, ends, over: Date.parse(ends) <= now.getTime(), mend });
  };
  for (const { id, role, created, expires, revoked } of tokens)
    if (expires !== undefined && revoked === undefined)
      add(
        `token ${id}`,
        created,
        expires,
        `Make the next one: \`adbreak tokens create NAME --role ${role}\`.`,
      );
  for (const { name, role, certificates } of Object.values(operators)) {
    // A machine that has the next one beside it needs this one no more.
    const last = certificates
      .filter(({ revoked }) => revoked === null)
      .sort((a, b) => Date.parse(b.ends) - Date.parse(a.ends))[0];
    const mend = `Make the next one: \`adbreak operators certificate ${name} --role ${role}\`.`;
    if (last !== undefined) add(`the certificate of operator ${name}`, last.issued, last.ends, mend);
  }
  return found.sort((a, b) => Date.parse(a.ends) - Date.parse(b.ends));
}

function isNear(from: string, ends: string, now: Date): boolean {
  const end = Date.parse(ends);
  const before = Math.min(TOLD_MS, (end - Date.parse(from)) * TOLD_SHARE);
  return now.getTime() >= end - before && now.getTime() < end + TOLD_MS;
}

export function endingLine({ what, ends, over }: Ending): string {
  return `${what} ${over ? 'ended' : 'ends'} at ${ends}`;
}
