import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { parseLabels, spanAt } from '@adbreak/shared/video/labels.js';
import { metricsOf } from '@adbreak/trainer/assess/metrics.js';
import { timelinesOf } from '@adbreak/trainer/assess/timeline.js';
import { viewingOf } from '@adbreak/trainer/assess/viewing.js';
import type { ScoredSample } from '@adbreak/trainer/ports.js';

const run = promisify(execFile);

/**
 * comskip's own defaults are for breaks of minutes and blocks of programme of many; a study's are shorter.
 * 67: black frames, logo, silence.
 */
const INI = `[Main Settings]
detect_method=67
max_commercialbreak=300
min_commercialbreak=20
max_commercial_size=60
min_commercial_size=5
min_show_segment_length=20
output_edl=1
`;
/** The agent's decision with nothing left of it: what comskip says of a moment holds at once. */
const AT_ONCE = { threshold: 0.5, meanSeconds: 1, clamp: 0.999, enter: 0.6, leave: 0.4 } as const;

/** What comskip makes of recordings, which it sees as a whole, at `fps` pictures a second of them. */
export async function rulesOn(stems: readonly string[], folder: string, fps: number, signal: AbortSignal) {
  await mkdir(folder, { recursive: true });
  const ini = join(folder, 'comskip.ini');
  await writeFile(ini, INI);
  const scored: ScoredSample[] = [];
  for (const stem of stems) {
    const found = await breaksIn(`${stem}.mkv`, ini, folder, signal);
    const truth = parseLabels(await readFile(`${stem}.csv`, 'utf8'));
    const end = truth.at(-1)?.end ?? 0;
    for (let at = 0; at < end; at += 1 / fps) {
      const span = spanAt(truth, at);
      if (span === null) continue;
      const probability = found.some((one) => one.start <= at && at < one.end) ? 1 : 0;
      const facts = { isAd: span.label === 'ad', group: stem, source: stem, picture: { path: stem, at } };
      scored.push({ ...facts, probability, uncalibrated: probability });
    }
  }
  return { metrics: metricsOf(scored), viewing: viewingOf(timelinesOf(scored), AT_ONCE) };
}

async function breaksIn(video: string, ini: string, folder: string, signal: AbortSignal) {
  // It ends with 1 where it finds no break.
  await run('comskip', [`--ini=${ini}`, `--output=${folder}`, '--quiet', video], { signal }).catch(
    (error: unknown) => {
      if (!(error instanceof Error && 'code' in error && error.code === 1)) throw error;
    },
  );
  const edl = join(folder, `${basename(video, '.mkv')}.edl`);
  const rows = (await readFile(edl, 'utf8')).trim().split('\n').filter(Boolean);
  return rows.map((row) => {
    const [start = Number.NaN, stop = Number.NaN] = row.split(/\s+/).map(Number);
    return { start, end: stop };
  });
}
