import { apartBy, harmInSlice, isTakenOut, sliceEvidence, takenOut } from '../apart.js';
import { type DeviceEvidence, totalOf } from '../evidence.js';
import type { GateInput } from '../gate.js';
import { isActive, type Rollout } from '../rollout.js';
import { troubledBySilence } from '../silence.js';
import { startOf } from '../windows.js';
import { count, evalue, percent } from '../words.js';
import { amount, some } from './words.js';

export function apartLines(rollout: Rollout): string[] {
  const { excluded, setAside, members, evidence } = rollout;
  const held = (name: string) =>
    members.filter(
      (id) =>
        apartBy(
          id,
          evidence.devices[id]?.slice ?? null,
          { excluded, setAside },
          evidence.devices[id]?.named,
        ) === name,
    ).length;
  return [
    ...Object.entries(excluded).map(
      ([name, { at, reason }]) => `${name}, ${count(held(name), 'device')}, since ${at}: ${reason}`,
    ),
    ...Object.entries(setAside).map(([, { at, reason }]) => `since ${at}: ${reason}`),
    ...takenLines(rollout),
  ];
}

/** What nobody may take for the gate's own finding. */
function takenLines(rollout: Rollout): string[] {
  const taken = takenOut(rollout);
  if (taken.length === 0) return [];
  return [
    `by a person's word alone, whatever they showed: ${some(taken)}; nothing of theirs counts, and they count as set aside, which at most ${percent(rollout.plan.maxSetAside)} of the devices may be (one at least): beyond that it is suspended`,
  ];
}

export function sliceLines(rollout: Rollout, wrong: number): string[] {
  const slices = sliceEvidence(rollout);
  const threshold = Math.log(Math.max(1, slices.length) / rollout.plan.alphaSlices);
  return slices.slice(0, 30).map((slice) => {
    const totals = totalOf(slice.clusters.flat());
    return `${slice.name}: ${count(slice.devices.length, 'device')}, ${amount(totals.episodes)} distinct episodes, ${amount(totals.wins)} won, ${amount(totals.losses)} lost; harm H = ${evalue(harmInSlice(slice, rollout.plan, wrong))} against ${evalue(threshold)}`;
  });
}

export function missingLines(rollout: Rollout, { silence }: GateInput): string[] {
  if (silence === null || !isActive(rollout)) return [];
  const never = rollout.members.filter(
    (id) => !Object.hasOwn(rollout.evidence.devices, id) && !isTakenOut(id, rollout),
  );
  const last = (id: string) => {
    const device: DeviceEvidence | undefined = rollout.evidence.devices[id];
    if (device === undefined) return id;
    if (device.lastWindow < 0) return `${id} (heard, but no window of it counts: see "Evidence")`;
    return `${id} (since ${new Date(startOf(device.lastWindow + 1, rollout.plan)).toISOString().slice(0, 16)})`;
  };
  const trouble = troubledBySilence(silence, rollout.plan);
  const silent = [...silence.acting.silent, ...silence.control.silent].filter((id) => !never.includes(id));
  return [
    ...(trouble === null ? [] : [trouble]),
    ...(never.length === 0
      ? []
      : [`${count(never.length, 'device')} have sent nothing for this rollout yet: ${some(never)}`]),
    ...(silent.length === 0 ? [] : [`silent: ${some(silent.map(last))}`]),
  ];
}
