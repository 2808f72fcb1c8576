/** Samples a second of the sounds that are made here. */
export const SAMPLE_RATE = 16_000;
