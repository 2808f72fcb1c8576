import type { DeviceChange, DeviceOutcome } from '@adbreak/shared/contract/http/fleet.js';
import { tagsText } from './device-table.js';

/** What has changed, or would: a paragraph a device, then how many. */
export function outcomeText({ dry_run, changed, unchanged, refused }: DeviceOutcome): string {
  const would = dry_run ? 'would change' : 'changed';
  const counts = [
    `${devices(changed.length)} ${would}`,
    `${unchanged.length} ${unchanged.length === 1 ? 'is' : 'are'} so already`,
    ...(refused.length > 0 ? [`${refused.length} cannot: nothing changes while they are among them`] : []),
  ];
  return [
    ...changed.map(changeText),
    ...refused.map(({ code, message }) => `refused (${code}): ${message}`),
    counts.join(', '),
  ].join('\n');
}

function changeText({ device, before, after, production, leaves, online }: DeviceChange): string {
  const lines = [
    differs('model', before.model, after.model),
    differs('tags', tagsText(before.tags), tagsText(after.tags)),
    differs('site', before.site, after.site),
    differs('channel', before.channel, after.channel),
    production === null
      ? null
      : `  it runs ${after.model} ${production}${online ? '' : ', once it is there'}`,
    leaves === null ? null : `  it leaves the rollout ${leaves}`,
  ];
  return [device, ...lines.filter((line) => line !== null)].join('\n');
}

function differs(name: string, before: string | null, after: string | null): string | null {
  if (before === after) return null;
  return `  ${name}: ${shown(before)} → ${after === null ? 'as its reports say' : shown(after)}`;
}
function shown(text: string | null): string {
  return text === null || text === '' ? 'none' : text;
}

function devices(n: number): string {
  return n === 1 ? '1 device' : `${n} devices`;
}
