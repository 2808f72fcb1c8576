/** The look of a channel: what stays on the screen while programmes change. */
export interface Channel {
  readonly name: string;
  readonly hue: number;
  readonly logo: 'ring' | 'square' | 'word';
  readonly corner: 'left' | 'right';
  /** Some channels keep their logo in advertisements: then it tells nothing. */
  readonly logoInAds: boolean;
  readonly genres: readonly Genre[];
  /** Films in 2.39:1. */
  readonly letterboxed: boolean;
  readonly capture: Capture;
}
/**
 * What happens to the picture on its way: little, a low bit rate, or a cable that carries it as an analogue
 * signal.
 */
export type Capture = 'clean' | 'low-rate' | 'analogue';
export type Genre = 'interview' | 'sport' | 'news' | 'drama';

export const CHANNELS = [
  {
    name: 'one',
    hue: 215,
    logo: 'ring',
    corner: 'right',
    logoInAds: false,
    genres: ['news', 'interview', 'drama'],
    letterboxed: false,
    capture: 'clean',
  },
  {
    name: 'arena',
    hue: 140,
    logo: 'square',
    corner: 'left',
    logoInAds: false,
    genres: ['sport', 'interview', 'sport'],
    letterboxed: false,
    capture: 'low-rate',
  },
  {
    name: 'kino',
    hue: 345,
    logo: 'word',
    corner: 'right',
    logoInAds: true,
    genres: ['drama', 'drama', 'news'],
    letterboxed: true,
    capture: 'analogue',
  },
] as const satisfies readonly Channel[];
