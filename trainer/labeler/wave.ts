/** Samples a second of the sound that is looked at; mono. */
export const WAVE_RATE = 8000;
/** Seconds of one value of the wave. */
export const WAVE_STEP = 0.1;
/** Quieter than this, of full scale (-50 dB), for this long (seconds) is silence; as quiet as spots are parted by. */
const STILL = 10 ** (-50 / 20);
const SHORTEST_SILENCE = 0.15;
/** Seconds within which loudness is looked at for silence. */
const WINDOW = 0.02;
/** Loudness is told by a curve, -60 dB to 0 as 0 to 1: people hear so. */
const FLOOR_DB = 60;

/** Reads samples as they come; keeps the wave and the silences of them. */
export class Wave {
  readonly wave: number[] = [];
  readonly silence: [number, number][] = [];
  #windows = 0;
  #inWindow = 0;
  #sum = 0;
  #stepPower = 0;
  #since: number | null = 0;

  /** Samples from -1 to 1, any number of them. */
  add(samples: Float32Array): void {
    for (const sample of samples) {
      this.#sum += sample * sample;
      this.#inWindow += 1;
      if (this.#inWindow === WAVE_RATE * WINDOW) this.#endWindow();
    }
  }

  end(): void {
    this.#closeSilence(this.#windows * WINDOW);
  }

  #endWindow(): void {
    const power = this.#sum / this.#inWindow;
    const from = this.#windows * WINDOW;
    this.#windows += 1;
    this.#sum = 0;
    this.#inWindow = 0;
    if (Math.sqrt(power) < STILL) this.#since ??= from;
    else this.#closeSilence(from);
    this.#stepPower += power;
    const perStep = Math.round(WAVE_STEP / WINDOW);
    if (this.#windows % perStep !== 0) return;
    this.wave.push(loudness(this.#stepPower / perStep));
    this.#stepPower = 0;
  }

  #closeSilence(end: number): void {
    if (this.#since !== null && end - this.#since >= SHORTEST_SILENCE) this.silence.push([this.#since, end]);
    this.#since = null;
  }
}

/** Three digits are more than a picture of it has. */
function loudness(power: number): number {
  const db = 10 * Math.log10(Math.max(power, 1e-12));
  return Math.round(1000 * Math.min(1, Math.max(0, 1 + db / FLOOR_DB))) / 1000;
}
