import { chiSquare, jensenShannon, kolmogorovSmirnov, psi, wasserstein } from '@adbreak/shared/evidence/distances.js';
import { logHarmFleet, logNonInferiorityFleet } from '@adbreak/shared/evidence/fleet.js';
import { logHarmPooled } from '@adbreak/shared/evidence/harm.js';
import { fleetShare, studentQuantile } from '@adbreak/shared/evidence/intervals.js';
import { seeded } from '@adbreak/shared/random.js';

/** Seeded cases with our values as JSON lines, for `make verify-evidence` to compute again in Python. */
const SEED = process.env['SEED'] ?? '1';
const random = seeded(`evidence/${SEED}`);
const write = (name: string, input: unknown, value: number) => console.log(JSON.stringify({ name, input, value }));

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
  write('harm_fleet_log', { devices }, logHarmFleet(devices));
  write('promotion_fleet_log', { devices, margin: 0.02 }, logNonInferiorityFleet(devices, 0.02));
  const counts = devices.map(({ episodes }) => ({ episodes, right: random.integer(episodes + 1) }));
  const share = fleetShare(counts);
  write('share_low', { counts }, share.low);
  write('share_high', { counts }, share.high);
  const [level, degrees] = [random.between(0.6, 0.9995), 1 + random.integer(200)];
  write('student_quantile', { level, degrees }, studentQuantile(level, degrees));
}
