import type { DeviceLine } from '@adbreak/shared/contract/http/fleet.js';
import type { ModelRef } from '@adbreak/shared/contract/manifest.js';
import { tagsText } from './device-table.js';

/** A device for people: what it is, what it runs, and only then what is wrong, with all its words. */
export function deviceText(device: DeviceLine): string {
  const { id, model, site, channel, hardware, tags, agent, certificate } = device;
  const facts: [string, string | null][] = [
    ['model', model],
    ['place', [site, channel, hardware].map((one) => one ?? 'not known').join(', ')],
    ['tags', tagsText(tags) || null],
    ['agent', agent],
    ['link', linkText(device)],
    ['runs', runsText(device)],
    ['shall run', shallText(device)],
    ['certificate', certificate && `${certificate.daysLeft} days left, until ${certificate.ends}`],
    ['quotas', quotaText(device)],
    ...troublesOf(device),
  ];
  return [
    id,
    ...facts.flatMap(([name, text]) => (text === null ? [] : [`  ${name.padEnd(12)}${text}`])),
  ].join('\n');
}

/** How it is connected, in words: `lost: its session ended without a word since …, last seen …`. */
export function linkText({ link: { state, since, lastSeen }, revoked }: DeviceLine): string {
  const seen = lastSeen === null ? '' : `, last seen ${lastSeen}`;
  if (revoked) return `revoked${seen}`;
  const told = {
    online: 'online',
    offline: 'offline, in good order',
    lost: 'lost: its session ended without a word',
    never: 'has not come yet',
  }[state];
  return `${told}${since === null ? '' : ` since ${since}`}${seen}`;
}

function runsText({ versions: { serving, shadow, slot } }: DeviceLine): string | null {
  if (slot === null) return null;
  return `${versionText(serving)} (${slot})${shadow === null ? '' : `, ${shadow.version} in its shadow`}`;
}
function shallText({ versions: { production, candidate, rollout }, behindSince }: DeviceLine): string | null {
  if (production === null) return null;
  const tried = candidate === null ? '' : ` beside ${candidate.version} of rollout ${rollout}`;
  return `${production.version}${tried}${behindSince === null ? '' : `; behind since ${behindSince}`}`;
}
function versionText(version: ModelRef | null): string {
  return version === null ? 'nothing of the hub' : version.version;
}

function quotaText({ quotas: { messagesLeft, bytesLeft, barredSeconds } }: DeviceLine): string {
  const left = `${Math.floor(100 * messagesLeft)} % of the messages and ${Math.floor(100 * bytesLeft)} % of the bytes are left`;
  return barredSeconds > 0 ? `${left}; kept out for ${barredSeconds} s` : left;
}

function troublesOf(device: DeviceLine): [string, string][] {
  const { problem, refusal, refusedReports, missingWindows } = device;
  const troubles: [string, string | false][] = [
    ['problem', problem !== null && `${problem.code}: ${problem.message}`],
    ['refused', refusal !== null && `${refusal.code} at ${refusal.at}: ${refusal.message}`],
    ['refusals', refusedReports > 0 && `${refusedReports} reports so far`],
    ['missing', missingWindows > 0 && `${missingWindows} windows so far`],
  ];
  return troubles.filter((one): one is [string, string] => one[1] !== false);
}
