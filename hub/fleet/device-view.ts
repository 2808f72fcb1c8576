import type { DeviceLine } from '@adbreak/shared/contract/http/fleet.js';
import type { HubState } from '../store/state.js';
import { placeOf } from './changes.js';

type Device = HubState['devices'][string];

/** What is known of a device beside its row. */
interface Beside {
  readonly now: Date;
  readonly behindSince: Date | null;
  readonly quotas: DeviceLine['quotas'];
}
const DAY_MS = 24 * 3_600_000;

/** A device in a line, for people and tables; pure. */
export function deviceLineOf(device: Device, { now, behindSince, quotas }: Beside): DeviceLine {
  const { id, slice, tags, model, revoked, agent, desired, reported, refusal, lastSeen } = device;
  const problem = reported?.problem ?? null;
  return {
    id,
    ...placeOf(device),
    hardware: slice?.hardware ?? null,
    tags,
    model,
    revoked,
    agent: agent ?? null,
    link: { state: linkOf(device), since: device.linkSince ?? null, lastSeen },
    versions: {
      production: desired?.production ?? null,
      candidate: desired?.candidate ?? null,
      serving: reported?.serving ?? null,
      shadow: reported?.shadow ?? null,
      slot: reported?.slot ?? null,
      rollout: desired?.rollout ?? null,
    },
    certificate: certificateOf(device, now),
    problem: problem === null ? null : { code: problem.code, message: problem.message },
    refusal: refusal ?? null,
    refusedReports: device.refusedReports,
    missingWindows: device.missingWindows,
    behindSince: behindSince?.toISOString() ?? null,
    quotas,
  };
}

function linkOf({ online, lastSeen, lost }: Device): DeviceLine['link']['state'] {
  if (online) return 'online';
  if (lastSeen === null) return 'never';
  return lost === true ? 'lost' : 'offline';
}

/** Days to a tenth, below zero where it has ended. */
function certificateOf({ certificateEnds }: Device, now: Date): DeviceLine['certificate'] {
  if (certificateEnds === null) return null;
  const left = (Date.parse(certificateEnds) - now.getTime()) / DAY_MS;
  return { ends: certificateEnds, daysLeft: Math.floor(10 * left) / 10 };
}
