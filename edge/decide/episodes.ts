/**
 * Where one episode ends and the next begins, from the picture alone: black, or a cut once the episode is long enough.
 * A model's opinion never ends an episode; otherwise each arm would choose its own unit of evidence.
 */
export interface EpisodeSettings {
  /** A cut ends an episode no younger than this, seconds of media. */
  readonly shortest: number;
  readonly longest: number;
  /** Mean luma (0..255) under which a frame is black. */
  readonly black: number;
  /** Mean absolute difference of two signatures (0..255) above which there is a cut between them. */
  readonly cut: number;
}
export const DEFAULT_EPISODES: EpisodeSettings = { shortest: 6, longest: 40, black: 14, cut: 22 };

const GRID = 8;
/** Mean R, G, B of 8 x 8 tiles: enough to see a cut, too little to see a picture. */
export function signatureOf(pixels: Uint8Array, width: number, height: number): Float32Array {
  const signature = new Float32Array(GRID * GRID * 3);
  // Every second pixel of every second row: a cut does not hide between them.
  const counts = new Float32Array(GRID * GRID);
  for (let y = 0; y < height; y += 2) {
    const row = ((y * GRID) / height) | 0;
    for (let x = 0; x < width; x += 2) {
      const tile = row * GRID + (((x * GRID) / width) | 0);
      const at = (y * width + x) * 3;
      counts[tile] = (counts[tile] ?? 0) + 1;
      for (let c = 0; c < 3; c++)
        signature[tile * 3 + c] = (signature[tile * 3 + c] ?? 0) + (pixels[at + c] ?? 0);
    }
  }
  for (let i = 0; i < signature.length; i++)
    signature[i] = (signature[i] ?? 0) / Math.max(1, counts[(i / 3) | 0] ?? 1);
  return signature;
}

export interface Segmenter {
  /** Start of the open episode, media seconds; null between episodes. */
  readonly start: number | null;
  readonly signature: Float32Array | null;
}
export const BETWEEN: Segmenter = { start: null, signature: null };

/** `ends`: the open episode ended before this frame. `counts`: this frame belongs to an episode. */
export function segment(
  settings: EpisodeSettings,
  state: Segmenter,
  time: number,
  signature: Float32Array,
): { state: Segmenter; ends: boolean; counts: boolean } {
  const open = state.start !== null;
  if (mean(signature) < settings.black)
    return { state: { start: null, signature }, ends: open, counts: false };
  const age = open ? time - (state.start ?? time) : 0;
  const cut = state.signature !== null && difference(state.signature, signature) > settings.cut;
  const ends = open && ((cut && age >= settings.shortest) || age >= settings.longest);
  return { state: { start: ends || !open ? time : state.start, signature }, ends, counts: true };
}

function mean(values: Float32Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
function difference(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, i) => sum + Math.abs(value - (b[i] ?? 0)), 0) / a.length;
}
