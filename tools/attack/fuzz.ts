import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/**
 * `make fuzz-model`: damaged files of every format that we read. A child reads them (and runs those models that are
 * still accepted on both native runtimes); should it die or hang, the file is named and the next child goes on behind it.
 */
const COUNT = Number(process.env['COUNT'] ?? 10_000);
const SEED = process.env['SEED'] ?? '1';
const FORMATS = ['tflite', 'safetensors', 'torch (legacy)', 'torch (zip)', 'keras h5', 'tfjs'] as const;
const HANG_MS = 40_000;
/** Native allocators keep some of what they had; a leak of a kilobyte a file would be ten times this. */
const MOST_GROWTH_MIB = 64;

interface Progress {
  readonly index: number;
  readonly outcome: 'refused' | 'read' | 'ran' | 'not coded';
  readonly detail?: string;
  readonly rss?: number;
}
interface Tally {
  refused: number;
  read: number;
  ran: number;
  crashes: string[];
  notCoded: string[];
  growthMiB: number;
}

async function fuzz(format: string, count: number): Promise<Tally> {
  const tally: Tally = { refused: 0, read: 0, ran: 0, crashes: [], notCoded: [], growthMiB: 0 };
  let next = 0;
  let early: number | null = null;
  while (next < count && tally.crashes.length < 20) {
    const child = fork(
      fileURLToPath(new URL('./fuzz-worker.js', import.meta.url)),
      [format, SEED, String(next), String(count)],
      {
        execArgv: ['--expose-gc'],
        stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      },
    );
    let timer = watch(child);
    child.on('message', (message: Progress) => {
      clearTimeout(timer);
      timer = watch(child);
      next = message.index + 1;
      if (message.outcome === 'not coded')
        tally.notCoded.push(`${format} file ${message.index} of seed ${SEED}: ${message.detail}`);
      else tally[message.outcome] += 1;
      if (message.rss === undefined) return;
      early ??= message.rss;
      tally.growthMiB = Math.max(tally.growthMiB, (message.rss - early) / 2 ** 20);
    });
    const [code, signal] = await once(child, 'exit');
    clearTimeout(timer);
    if (code !== 0) {
      tally.crashes.push(`${format} file ${next} of seed ${SEED}: ${signal ?? `exit code ${code}`}`);
      next += 1;
      early = null;
    }
  }
  return tally;
}

function watch(child: ChildProcess): NodeJS.Timeout {
  return setTimeout(() => child.kill('SIGKILL'), HANG_MS);
}

const started = performance.now();
const results: Record<string, Tally> = {};
for (const format of FORMATS) {
  // Models are what arrives over a wire: all of the count; weights come from the engineer's own disk, and every HDF5
  // file gets a thread and a library of its own.
  const count = Math.ceil(COUNT / (format === 'tflite' ? 1 : format === 'keras h5' ? 20 : 5));
  const tally = await fuzz(format, count);
  results[format] = tally;
  const { refused, read, ran, crashes, notCoded, growthMiB } = tally;
  console.log(
    `${format.padEnd(15)} ${count} files: ${refused} refused with a code, ${read} read${format === 'tflite' ? `, of ${ran} more both runtimes gave an answer or a coded error` : ''}; ` +
      `${crashes.length} crashes, ${notCoded.length} other errors, memory grew ${growthMiB.toFixed(0)} MiB`,
  );
  for (const line of [...crashes, ...notCoded].slice(0, 10)) console.log(`  ${line}`);
}
const all = Object.values(results);
const crashes = all.reduce((sum, tally) => sum + tally.crashes.length + tally.notCoded.length, 0);
const growth = Math.max(...all.map(({ growthMiB }) => growthMiB));
const files = all.reduce((sum, tally) => sum + tally.refused + tally.read + tally.ran, 0);
console.log(
  JSON.stringify({
    fuzz: 'model',
    files,
    seed: SEED,
    seconds: Math.round((performance.now() - started) / 1000),
    failures: crashes,
    growth_mib: Math.round(growth),
  }),
);
process.exitCode = crashes > 0 || growth > MOST_GROWTH_MIB ? 1 : 0;
