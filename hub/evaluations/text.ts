import { count, percent } from '../rollouts/words.js';
import type { ArmResult, Round, RoundResult } from './round.js';

const share = (arm: ArmResult | null) =>
  arm === null ? '–' : `${percent(arm.micro)}  (${percent(arm.low)} to ${percent(arm.high)})`;

/** A round's report for the terminal. */
export function evaluationText(round: Round, result: RoundResult): string {
  const { difference } = result;
  const arm = (name: string, version: string, one: ArmResult | null) =>
    `  ${`${name} ${version}`.padEnd(22)}${share(one)}${one?.deviceMean == null ? '' : `, mean of devices ${percent(one.deviceMean)}`}`;
  return [
    `${round.id}: ${round.model} ${round.request.candidate.version} against ${round.request.production.version}, ${round.status}${round.request.secure ? ', secure' : ''}`,
    `  ${result.answered} of ${count(result.asked, 'device')} answered, ${count(result.episodes, 'labelled episode')}${result.inconclusive ? ': INCONCLUSIVE' : ''}`,
    arm('production', round.request.production.version, result.production),
    arm('candidate', round.request.candidate.version, result.candidate),
    ...(difference === null
      ? []
      : [
          `  ${'difference'.padEnd(22)}${(100 * difference.value).toFixed(1)} points (${(100 * difference.low).toFixed(1)} to ${(100 * difference.high).toFixed(1)}), 95 %, ${result.unit}s as the unit`,
        ]),
    ...Object.entries(result.slices).map(
      ([name, slice]) =>
        `  ${name.padEnd(22)}${count(slice.devices, 'device')}: production ${share(slice.production)}, candidate ${share(slice.candidate)}`,
    ),
    ...(result.worst === null
      ? []
      : [
          `  ${'least gained on'.padEnd(22)}${result.worst.devices.join(', ')}${result.worst.difference === null ? '' : `: ${(100 * result.worst.difference).toFixed(1)} points together`}`,
        ]),
    ...(result.sources === null || result.episodes === 0
      ? []
      : [
          `  labels                ${result.sources.operator} by operators, ${result.sources.button} by the button, ${result.sources.rule} by rules${result.ageHours === null ? '' : `; ${result.ageHours.youngest.toFixed(1)} to ${result.ageHours.oldest.toFixed(1)} hours old`}`,
        ]),
    ...result.notes.map((note) => `  note: ${note}`),
  ].join('\n');
}
