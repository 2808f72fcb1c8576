import { isTakenOut } from '../apart.js';
import { type DeviceEvidence, totalOf } from '../evidence.js';
import { isActive, type Rollout } from '../rollout.js';
import { controlsOf, wholeDays } from '../standing.js';
import { startOf } from '../windows.js';
import { count, hours, percent } from '../words.js';
import { amount, outcomes, some } from './words.js';

export function answerLines(rollout: Rollout): string[] {
  const { plan, evidence } = rollout;
  const devices = Object.entries(evidence.devices).filter(
    ([id, { own }]) => own.length > 0 && !isTakenOut(id, rollout),
  );
  if (devices.length === 0 || !isActive(rollout)) return [];
  const asked = devices.map(([id, device]) => ({ id, device, ...askedOf(device) }));
  const sum = (of: (one: (typeof asked)[number]) => number) => asked.reduce((all, one) => all + of(one), 0);
  const [answered, open, waiting] = [
    sum(({ wins, losses }) => wins + losses),
    sum((one) => one.open),
    sum(({ device }) => device.waiting),
  ];
  const silent = asked
    .filter((one) => one.open > 0 && one.wins + one.losses === 0)
    .sort((a, b) => b.open - a.open);
  const controls = controlsOf(rollout);
  const items = sum(({ device }) => device.control.answered);
  return [
    `${plan.labels === 'all' ? 'every disagreement is asked about' : `about ${plan.labels.perDeviceAndWeek} answers a device and week are asked for`}; ${count(answered, 'answer')} so far, ${count(open, 'draw')} without one, of which ${waiting} still wait on the devices (${hours(plan.answerHours)} at most)`,
    ...(silent.length === 0
      ? []
      : [`asked and never answered: ${some(silent.map((one) => `${one.id} (${one.open})`))}`]),
    `wrong answers: ${items === 0 ? 'no control item was answered yet' : `${percent(controls.share)} of ${count(items, 'control item')} (${percent(controls.low)} to ${percent(controls.high)})`}; the gate allows for ${percent(controls.used)}`,
  ];
}

/** Draws that people were asked about: nobody was asked of windows that never came. */
function askedOf({ own, lost }: DeviceEvidence) {
  const { wins, losses, open } = totalOf(own);
  return { wins, losses, open: Math.max(0, open - lost.episodes) };
}

/** As it was when the window was closed; answers that came later stand in the sums alone. */
export function windowLines(rollout: Rollout): string[] {
  if (!isActive(rollout)) return [];
  return rollout.evidence.recent.slice(-WINDOWS_SHOWN).map(({ window, devices, ...totals }) => {
    const at = new Date(startOf(window, rollout.plan)).toISOString();
    return `${at.slice(0, 19)}: ${amount(totals.episodes)} distinct episodes of ${count(devices, 'device')}, ${outcomes(totals)}`;
  });
}
const WINDOWS_SHOWN = 8;

export function dayLines({ evidence, plan }: Rollout): string[] {
  const whole = wholeDays(evidence);
  const days = Object.entries(evidence.days).slice(-10);
  return days.map(([day, tallies]) => {
    const totals = totalOf(tallies);
    const at = new Date(Number(day) * plan.dayHours * 3_600_000).toISOString();
    return `${plan.dayHours === 24 ? at.slice(0, 10) : at.slice(0, 19)}: ${amount(totals.episodes)} distinct episodes, ${outcomes(totals)}${Object.hasOwn(whole, day) ? '' : '; less than half a day, and counts for none'}`;
  });
}
