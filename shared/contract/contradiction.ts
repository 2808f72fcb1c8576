import { BINS, type SparseHistogram, type WindowReport } from './messages.js';

/** Counts that a device cannot have made by honest counting; null when they add up. */
export function contradiction(report: WindowReport): string | null {
  if (!(Date.parse(report.end) >= Date.parse(report.start))) return 'it ends before it starts';
  return (
    repeated(report) ??
    contradictingHistograms(report) ??
    contradictingJoint(report) ??
    contradictingLabels(report) ??
    contradictingDraws(report)
  );
}

/** A sparse list names each of its places once: one that comes again would add up to more than a count may be. */
function repeated({ latency, jointConfidence, labelled: { detail } }: WindowReport): string | null {
  const twice = (places: readonly (number | string)[]) => new Set(places).size !== places.length;
  for (const buckets of [latency.production, latency.candidate ?? []])
    if (twice(buckets.map(([bucket]) => bucket))) return 'a bucket of the latency comes twice';
  if (twice(jointConfidence.map(([production, candidate]) => `${production} ${candidate}`)))
    return 'a pair of tenths comes twice';
  for (const arm of [detail?.production, detail?.candidate])
    if (arm != null && twice(arm.tenths.map(([tenth]) => tenth))) return 'a tenth comes twice';
  return null;
}

const sumOf = (rows: readonly (readonly number[])[]) => rows.flat().reduce((a, b) => a + b, 0);
const ads = ({ bins }: SparseHistogram) => bins.reduce((sum, [bin, n]) => sum + (bin >= BINS / 2 ? n : 0), 0);

function contradictingHistograms({ episodes, candidate, joint, histograms }: WindowReport): string | null {
  if ((candidate === null) !== (joint === null) || (candidate === null) !== (histograms.candidate === null))
    return 'candidate, its histogram and the joint table must come together';
  for (const histogram of [histograms.production, histograms.candidate]) {
    if (histogram === null) continue;
    const counted = histogram.bins.reduce((sum, [, n]) => sum + n, 0);
    if (counted !== episodes) return `the histogram holds ${counted} episodes of ${episodes}`;
    if (new Set(histogram.bins.map(([bin]) => bin)).size !== histogram.bins.length)
      return 'a bin of the histogram comes twice';
    const lowest = histogram.bins.reduce((sum, [bin, n]) => sum + (bin * n) / BINS, 0);
    if (histogram.sum < lowest - 1e-6 || histogram.sum > lowest + episodes / BINS + 1e-6)
      return `its sum ${histogram.sum} does not fit its bins`;
  }
  return null;
}

function contradictingJoint({ episodes, joint, histograms }: WindowReport): string | null {
  if (joint === null || histograms.candidate === null) return null;
  if (sumOf(joint) !== episodes) return `the joint table holds ${sumOf(joint)} episodes of ${episodes}`;
  if (
    joint[1][0] + joint[1][1] !== ads(histograms.production) ||
    joint[0][1] + joint[1][1] !== ads(histograms.candidate)
  )
    return 'the votes of the joint table are not those of the histograms';
  return null;
}

function contradictingLabels({ episodes, joint, labelled }: WindowReport): string | null {
  const { wins, losses, productionRight, candidateRight, detail } = labelled;
  if (labelled.episodes > episodes) return `${labelled.episodes} of ${episodes} episodes are labelled`;
  if (joint !== null && wins + losses > joint[0][1] + joint[1][0])
    return 'more wins and losses than disagreements';
  if (joint === null && wins + losses > 0) return 'wins and losses without a candidate';
  if (
    wins + losses > labelled.episodes ||
    productionRight > labelled.episodes ||
    candidateRight > labelled.episodes
  )
    return 'more outcomes than labels';
  if (joint !== null && wins - losses !== candidateRight - productionRight)
    return 'wins and losses do not fit who was right';
  for (const [arm, right] of [
    [detail?.production, productionRight],
    [detail?.candidate, candidateRight],
  ] as const) {
    if (arm == null) continue;
    if (sumOf(arm.confusion) !== labelled.episodes || arm.confusion[0][0] + arm.confusion[1][1] !== right)
      return 'the confusion table does not fit the labels';
    if (
      arm.tenths.some(([, n, ok]) => ok > n) ||
      arm.tenths.reduce((sum, [, n]) => sum + n, 0) !== labelled.episodes
    )
      return 'the labelled episodes by confidence do not fit the labels';
  }
  return null;
}

function contradictingDraws({
  episodes,
  content,
  joint,
  labelled,
  draws,
  answers,
  control,
  start,
}: WindowReport): string | null {
  if (content !== null && content > episodes) return `${content} of ${episodes} episodes are new content`;
  if (control.answered > control.asked || control.wrong > control.answered)
    return 'more control answers than control items';
  const before = Date.parse(start);
  if (answers.some((one) => Date.parse(one.start) >= before))
    return 'it answers draws of a window that had not ended';
  if (new Set(answers.map((one) => Date.parse(one.start))).size !== answers.length)
    return 'it answers draws of one window twice';
  if (draws === null) return null;
  if (joint === null) return draws.drawn === 0 ? null : 'draws without a candidate';
  const disagreements = joint[0][1] + joint[1][0];
  if (draws.drawn > disagreements) return `${draws.drawn} of ${disagreements} disagreements are drawn`;
  if (draws.rate === 1 && draws.drawn < disagreements) return 'at a rate of 1 every disagreement is drawn';
  if (draws.wins + draws.losses > draws.drawn) return 'more answers than draws';
  if (draws.wins > labelled.wins || draws.losses > labelled.losses)
    return 'answers to draws that are not among the labels';
  // Every label on a disagreement is an answer to a draw, or lies on one that was not drawn.
  if (labelled.wins + labelled.losses - draws.wins - draws.losses > disagreements - draws.drawn)
    return 'labelled disagreements that are neither drawn nor undrawn';
  return null;
}
