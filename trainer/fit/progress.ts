/**
 * How often something is said of work under way, milliseconds: every two seconds in the beginning, then each time a tenth
 * has passed, and each half minute at last. Hours of pictures are some hundred lines, and the log can still be followed.
 */
const PAUSE = { least: 2000, most: 30_000, share: 0.1 } as const;

/** Says how far work has come, less often the longer it takes; the last word is said in any case. */
export interface Progress {
  /** One more is done, or as many as are named. */
  advance(by?: number): void;
  end(): void;
}

/**
 * `  features: 320 of 1,400, 31 a second, 35 s left`. Without a total, what was done and how fast. `now` is a clock in
 * milliseconds that never goes back.
 */
export function progressOf(
  what: string,
  total: number | null,
  say: (line: string) => void,
  now: () => number = performance.now.bind(performance),
): Progress {
  const started = now();
  let [done, said, saidAt] = [0, -1, started];
  const tell = () => {
    const seconds = Math.max(1e-3, (now() - started) / 1000);
    const speed = done / seconds;
    const parts = [
      total === null ? `${count(done)}` : `${count(done)} of ${count(total)}`,
      `${speed >= 10 ? Math.round(speed) : speed.toFixed(1)} a second`,
      ...(total === null || done === 0 || done >= total ? [] : [`${duration((total - done) / speed)} left`]),
    ];
    say(`  ${what}: ${parts.join(', ')}`);
    [said, saidAt] = [done, now()];
  };
  return {
    advance: (by = 1) => {
      done += by;
      if (now() - saidAt >= pauseAfter(now() - started)) tell();
    },
    end: () => {
      if (done > 0 && said !== done) tell();
    },
  };
}

function pauseAfter(elapsed: number): number {
  return Math.min(PAUSE.most, Math.max(PAUSE.least, PAUSE.share * elapsed));
}

/** 42 s, 3 min 20 s, 2 h 5 min. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

function count(value: number): string {
  return value.toLocaleString('en');
}
