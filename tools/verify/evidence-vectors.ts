import { PROGRAMME, ProgrammeStream } from '@adbreak/hub/simulate/programme.js';
import {
  confidenceBasedAccuracy,
  expectedCalibrationError,
  shiftedPrior,
} from '@adbreak/shared/evidence/calibration.js';
import { ClusterLikelihood } from '@adbreak/shared/evidence/clusters.js';
import {
  disagreementEvidence,
  startDetector,
  watchDisagreements,
} from '@adbreak/shared/evidence/disagreement.js';
import { FleetLikelihood } from '@adbreak/shared/evidence/fleet.js';
import { logHarmPooled } from '@adbreak/shared/evidence/harm.js';
import { fleetShare, studentQuantile } from '@adbreak/shared/evidence/intervals.js';
import { logClosed } from '@adbreak/shared/evidence/multiplicity.js';
import { logNonInferiority } from '@adbreak/shared/evidence/non-inferiority.js';
import { findOutliers } from '@adbreak/shared/evidence/outlier.js';
import { logNonInferioritySampled } from '@adbreak/shared/evidence/sampled.js';
import { clusterOf, logHarm, logNoWorse, type Tallies } from '@adbreak/shared/evidence/tally.js';
import {
  calibrate,
  conformalP,
  scoresOf,
  startWorld,
  watchWorld,
  worldEvidence,
} from '@adbreak/shared/evidence/world.js';
import { wrongAnswers } from '@adbreak/shared/evidence/wrong.js';
import { seeded } from '@adbreak/shared/random.js';
import { chiSquare, jensenShannon, kolmogorovSmirnov, psi, wasserstein } from '../evidence/distances.js';
import { Adwin, PageHinkley } from '../evidence/streams.js';
import { thresholdedAccuracy, thresholdOfConfidence } from '../evidence/thresholded.js';

/** Seeded cases with our values as JSON lines, for `make verify-evidence` to compute again in Python. */
const SEED = process.env['SEED'] ?? '1';
const random = seeded(`evidence/${SEED}`);
const write = (name: string, input: unknown, value: number | readonly number[]) =>
  console.log(JSON.stringify({ name, input, value }));

for (let i = 0; i < 200; i++) {
  const bins = random.pick([2, 8, 20, 64, 256]);
  const histogram = (size: number) => {
    const counts = Array<number>(bins).fill(0);
    const [centre, spread] = [random.uniform() * bins, 1 + random.uniform() * bins];
    for (let k = 0; k < size; k++) {
      const bin = Math.max(0, Math.min(bins - 1, Math.floor(centre + spread * random.normal() * 0.3)));
      counts[bin] = (counts[bin] ?? 0) + 1;
    }
    return counts;
  };
  const [p, q] = [histogram(20 + random.integer(3000)), histogram(20 + random.integer(3000))];
  write('psi', { p, q }, psi(p, q));
  write('jensen_shannon_e', { p, q }, jensenShannon(p, q));
  write('jensen_shannon_2', { p, q }, jensenShannon(p, q, 2));
  write('wasserstein', { p, q, width: 1 / bins }, wasserstein(p, q, 1 / bins));
  const ks = kolmogorovSmirnov(p, q);
  write('ks_statistic', { p, q }, ks.statistic);
  write('ks_p', { p, q }, ks.p);
  if (p.some((x, k) => x + (q[k] ?? 0) > 0 && p.length - 1 !== k)) {
    const chi = chiSquare(p, q);
    if (chi.degrees > 0) {
      write('chi2_statistic', { p, q }, chi.statistic);
      write('chi2_p', { p, q }, chi.p);
    }
  }
  const [l, w] = [random.integer(120), random.integer(120)];
  write('harm_pooled_log', { l, w }, logHarmPooled(l, w));
  const devices = Array.from({ length: 5 + random.integer(20) }, () => {
    const episodes = 5 + random.integer(200);
    const wins = random.integer(Math.ceil(episodes / 8));
    return { episodes, wins, losses: random.integer(Math.ceil(episodes / 8)) };
  });
  write('harm_fleet_log', { devices }, new FleetLikelihood(devices).logHarm());
  write(
    'promotion_fleet_log',
    { devices, margin: 0.02 },
    new FleetLikelihood(devices).logNonInferiority(0.02),
  );
  const counts = devices.map(({ episodes }) => ({ episodes, right: random.integer(episodes + 1) }));
  const share = fleetShare(counts);
  write('share_low', { counts }, share.low);
  write('share_high', { counts }, share.high);
  const [level, degrees] = [random.between(0.6, 0.9995), 1 + random.integer(200)];
  write('student_quantile', { level, degrees }, studentQuantile(level, degrees));
}

/** What came with the drift-aware gate: martingales, label-free estimates, detectors. */
for (let i = 0; i < 200; i++) {
  const counts = { wins: random.integer(200), losses: random.integer(200), agreed: random.integer(4000) };
  const margin = random.pick([0.01, 0.02, 0.05, 0.08]);
  write('non_inferiority_log', { ...counts, margin }, logNonInferiority(counts, margin));
  const rate = random.between(0.1, 1);
  write(
    'sampled_log',
    { ...counts, margin, rate },
    logNonInferioritySampled({ ...counts, zeros: counts.agreed }, margin, rate),
  );
  const devices = Array.from({ length: 1 + random.integer(30) }, () => ({
    wins: random.integer(20),
    losses: random.integer(20),
    episodes: 40 + random.integer(200),
  }));
  const sequence = new FleetLikelihood(devices).confidenceSequence(0.05);
  write('sequence', { devices }, [sequence?.low ?? 0, sequence?.high ?? 0]);
  const logs = Array.from({ length: 1 + random.integer(4) }, () => random.between(-3, 6));
  write('closed_log', { logs }, logClosed(logs, 0));

  const scores = Array.from({ length: 50 + random.integer(400) }, () => random.between(0.5, 1));
  const right = scores.map((score) => random.uniform() < score);
  const bins = Array.from({ length: 10 }, () => ({ episodes: 0, confidence: 0, right: 0 }));
  scores.forEach((score, k) => {
    const bin = bins[Math.min(9, Math.floor((score - 0.5) * 20))];
    if (bin === undefined) return;
    bin.episodes += 1;
    bin.confidence += score;
    bin.right += Number(right[k]);
  });
  write('calibration_error', { scores, right }, expectedCalibrationError(bins));
  const histogram = Array.from({ length: 64 }, () => random.integer(30));
  write('confidence_based_accuracy', { histogram }, confidenceBasedAccuracy(histogram));
  const accuracy = right.filter(Boolean).length / right.length;
  const threshold = thresholdOfConfidence(scores, accuracy);
  const target = Array.from({ length: 100 }, () => random.between(0.5, 1));
  write('atc', { scores, right, target }, [threshold, thresholdedAccuracy(target, threshold)]);
  const confusion = [
    [100 + random.integer(900), random.integer(90)],
    [random.integer(90), 100 + random.integer(900)],
  ] as const;
  const votes = [1 + random.integer(1000), 1 + random.integer(1000)] as const;
  const shift = shiftedPrior([[...confusion[0]], [...confusion[1]]], votes);
  if (shift !== null) write('shifted_prior', { confusion, votes }, [shift.prior, ...shift.weights]);

  const windows = Array.from({ length: 20 }, () => {
    const episodes = 1 + random.integer(60);
    return { episodes, disagreements: random.integer(Math.ceil(episodes / 3)) };
  });
  const baseline = random.between(0.02, 0.2);
  const detector = windows.reduce(
    (state, { episodes, disagreements }) => watchDisagreements(state, disagreements, episodes),
    startDetector(baseline),
  );
  write('disagreement_evidence', { windows, baseline }, disagreementEvidence(detector));

  const size = 20 + random.integer(45);
  const draw = () => Array.from({ length: size }, () => random.integer(20) + 1);
  const [window, reference] = [draw(), draw()];
  write('world_scores', { window, reference }, scoresOf(window, reference));
  const sorted = Array.from({ length: 100 }, () => random.integer(30) / 10).sort((a, b) => a - b);
  const [score, u, together] = [random.integer(30) / 10, random.uniform(), 1 + random.integer(6)];
  write('conformal_p', { sorted, score, u, together }, conformalP(sorted, score, u, together));

  const change = 200 + random.integer(600);
  const stream = Array.from(
    { length: 1500 },
    (_, k) => (k < change ? 0 : random.between(0.2, 1)) + random.normal() * 0.3,
  );
  const adwin = new Adwin();
  const cuts = stream.flatMap((value, k) => (adwin.update(value) ? [k] : []));
  write('adwin', { stream }, [...cuts, adwin.width, adwin.mean]);
  const hinkley = new PageHinkley({ threshold: 20 });
  write(
    'page_hinkley',
    { stream },
    stream.flatMap((value, k) => (hinkley.update(value) ? [k] : [])),
  );
}

/** The WORLD detector as a whole, on a fleet of three: reference, lag, p-values and statistics of a fortnight. */
for (let i = 0; i < 20; i++) {
  const programme = new ProgrammeStream(
    { ...PROGRAMME, devices: 3, episodesPerHour: 20, effectHours: random.pick([1, 6]) },
    random.fork(`world/${i}`),
  );
  const weeks = programme.reference(2 + random.integer(2));
  const calibration = calibrate(weeks);
  if (calibration === null) throw new Error('a reference of two weeks and more must calibrate');
  write('world_lag', { weeks }, calibration.lag);
  write('world_calibration', { weeks }, calibration.scores.flat());
  let state = startWorld(calibration);
  const rows: (readonly number[])[] = [];
  for (let hour = 0; hour < 336; hour++) {
    const { ofWeek, histogram } = programme.next(hour < 100 ? 0 : 0.15);
    state = watchWorld(calibration, state, ofWeek, histogram, random);
    rows.push(state.last);
  }
  write('world_evidence_log', { rows, lag: calibration.lag }, Math.log(worldEvidence(state)));
}

/** What came with draws: fractional counts at several rates, open draws, wrong answers, clusters of them, units beside their fleet. */
const draws = random.fork('draws');
for (let i = 0; i < 200; i++) {
  const tallies = (scale: number): Tallies =>
    draws
      .shuffle([1, 1 / 2, 1 / 4, 1 / 16, 1 / 256])
      .slice(0, 1 + draws.integer(3))
      .map((rate) => {
        const count = (share: number) => (draws.uniform() < 0.15 ? 0 : scale * share * draws.uniform());
        return {
          rate,
          zeros: count(2),
          wins: count(0.15 * rate),
          losses: count(0.15 * rate),
          open: count(0.03 * rate),
        };
      });
  const wrong = draws.pick([0, 0.02, 0.1, 0.45]);
  const shift = draws.pick([-0.3, -0.02, 0, 0.01, 0.02, 0.05, 0.4]);
  const drawn = tallies(2000);
  write('harm_drawn_log', { tallies: drawn, shift, wrong }, logHarm(drawn, { tolerance: shift, wrong }));
  write('no_worse_drawn_log', { tallies: drawn, shift, wrong }, logNoWorse(drawn, { margin: shift, wrong }));
  const side = draws.pick(['harm', 'promotion'] as const);
  const { mean, square, episodes, share = 0, step = 1 } = clusterOf(drawn, side, wrong);
  write('cluster_of', { tallies: drawn, side, wrong }, [mean, square, episodes, share, step]);

  const groups = Array.from({ length: 1 + draws.integer(20) }, () => {
    const liar = draws.uniform() < 0.05;
    const own = liar ? [{ rate: 1, zeros: 10, wins: 400, losses: 0, open: 0 }] : tallies(600);
    return { ...clusterOf(own, side, wrong), clusters: 1 + draws.integer(3) };
  });
  const clip = draws.uniform() < 0.5;
  const model = new ClusterLikelihood(groups, { clip });
  const question = { groups, clip, shift: draws.pick([-0.02, 0.005, 0.01, 0.02, 0.05]) };
  write('clusters_harm_log', question, model.logHarm(question.shift));
  write('clusters_no_worse_log', question, model.logNoWorse(question.shift));
  const sequence = model.confidenceSequence(0.05);
  if (sequence !== null) write('clusters_sequence', question, [sequence.low, sequence.high]);

  const mistaken = draws.pick([0, 0.02, 0.1, 0.5, 1]);
  const controls = Array.from({ length: draws.integer(12) }, () => {
    const answered = draws.integer(25);
    return {
      answered,
      wrong: Array.from({ length: answered }, () => draws.uniform()).filter((u) => u < mistaken).length,
    };
  });
  const answers = wrongAnswers(controls, 0.02);
  write('wrong_answers', { controls, assumed: 0.02 }, [
    answers.share,
    answers.low,
    answers.high,
    answers.used,
  ]);

  const units = Array.from({ length: 3 + draws.integer(20) }, () =>
    tallies(draws.pick([0, 200, 2000, 20_000])),
  );
  const broken = [{ rate: 1, zeros: 100, wins: 5, losses: 70, open: 2 }];
  const fleet =
    draws.uniform() < 0.5
      ? units
      : [...units, broken, broken.map((one) => ({ ...one, wins: one.losses, losses: one.wins }))];
  const found = findOutliers(fleet, { least: 0.05, wrong });
  write('outliers', { fleet, least: 0.05, wrong }, [
    found.low,
    found.high,
    ...found.units.flatMap(({ below, above }) => [below, above]),
  ]);
}
