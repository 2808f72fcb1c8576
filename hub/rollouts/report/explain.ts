import { weigh } from '../gate.js';
import { inputOf } from '../look.js';
import { isActive, percentOf, type Rollout } from '../rollout.js';
import { count } from '../words.js';
import { answerLines, dayLines, windowLines } from './answer-lines.js';
import { apartLines, missingLines, sliceLines } from './apart-lines.js';
import { evidenceLines } from './evidence-lines.js';
import { whatIf } from './outlook.js';
import { healthLines, worldLines } from './world-lines.js';

export interface Explanation {
  readonly headline: string;
  /** Sections with their sentences, in the order in which people want to know. */
  readonly sections: readonly { readonly title: string; readonly lines: readonly string[] }[];
}

/** Why a rollout is where it is, and what would change the verdict; pure. */
export function explainRollout(rollout: Rollout, now: Date): Explanation {
  const input = inputOf(rollout, now);
  const weighed = weigh(input, rollout.plan);
  const sections = [
    { title: 'Why', lines: why(rollout) },
    { title: 'Evidence', lines: evidenceLines(rollout, weighed, now) },
    { title: 'Answers', lines: answerLines(rollout) },
    { title: 'What each window added, newest last', lines: windowLines(rollout) },
    { title: 'What each day added', lines: dayLines(rollout) },
    { title: 'What would change it', lines: isActive(rollout) ? whatIf(rollout, weighed, input, now) : [] },
    { title: 'Stays on production', lines: apartLines(rollout) },
    { title: 'Slices', lines: sliceLines(rollout, input.wrong) },
    { title: 'Who is missing', lines: missingLines(rollout, input) },
    { title: 'The world', lines: worldLines(rollout, input.drift) },
    { title: 'Health', lines: healthLines(rollout, input) },
    {
      title: 'So far',
      lines: rollout.history.map(
        (one) => `${one.at}  ${one.stage}: ${one.verdict} → ${one.action}: ${one.reason}`,
      ),
    },
  ];
  return {
    headline: `${rollout.model} ${rollout.from.version} → ${rollout.to.version}: ${whereItIs(rollout)}`,
    sections: sections.filter(({ lines }) => lines.length > 0),
  };
}

export function explanationText({ headline, sections }: Explanation): string {
  return [
    headline,
    ...sections.flatMap(({ title, lines }) => ['', `${title}`, ...lines.map((line) => `  ${line}`)]),
  ].join('\n');
}

function whereItIs(rollout: Rollout): string {
  const { status, plan } = rollout;
  if (status !== 'running' && status !== 'paused') return status.replace('-', ' ');
  const acting = percentOf(rollout) === 0 ? 0 : rollout.acting.length;
  return `${status} in stage ${plan.stages[rollout.stage]?.name}, acting on ${acting} of ${count(rollout.members.length, 'device')} (${percentOf(rollout)} %)`;
}

function why({ last }: Rollout): string[] {
  return last === null
    ? ['The gate has not looked yet.']
    : [`${last.verdict} → ${last.action} (${last.at})`, last.reason];
}
