import { seeded } from '@adbreak/shared/random.js';
import type { Item } from './schedule.js';

export const SAMPLE_RATE = 16_000;

/** Signed 16-bit mono: speech-like murmur under programmes, louder chords under advertisements, silence in black. */
export function soundOf(item: Item): Int16Array {
  const samples = new Int16Array(Math.round(item.seconds * SAMPLE_RATE));
  const voice = item.kind === 'advert' && item.voice > 0 ? `/${item.voice}` : '';
  const random = seeded(`sound/${item.seed}${voice}`);
  switch (item.kind) {
    case 'black':
      return samples;
    case 'advert':
    case 'ident':
    case 'trailer': {
      const root = random.between(110, 330);
      return chord(
        samples,
        [root, root * 1.26, root * 1.5],
        random.between(1.6, 3),
        item.kind === 'advert' ? 0.5 : 0.3,
      );
    }
    case 'scene':
    case 'replay':
      return murmur(samples, random.between(90, 220), item.genre === 'sport' ? 0.22 : 0.08, () =>
        random.uniform(),
      );
  }
}

function chord(samples: Int16Array, tones: readonly number[], beat: number, level: number): Int16Array {
  for (let i = 0; i < samples.length; i++) {
    const t = i / SAMPLE_RATE;
    const tone = tones.reduce((sum, hertz) => sum + Math.sin(2 * Math.PI * hertz * t), 0) / tones.length;
    samples[i] = 32767 * level * tone * (0.6 + 0.4 * Math.exp(-6 * ((t * beat) % 1)));
  }
  return samples;
}

function murmur(samples: Int16Array, pitch: number, noise: number, chance: () => number): Int16Array {
  for (let i = 0; i < samples.length; i++) {
    const t = i / SAMPLE_RATE;
    const syllable = Math.max(0, Math.sin(2 * Math.PI * 3.1 * t) * Math.sin(2 * Math.PI * 0.37 * t));
    const voice = Math.sin(2 * Math.PI * pitch * t) + 0.5 * Math.sin(4 * Math.PI * pitch * t);
    samples[i] = 32767 * (0.15 * voice * syllable + noise * (chance() - 0.5));
  }
  return samples;
}
