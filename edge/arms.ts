import type { Desired, ModelRef } from '@adbreak/shared/contract/messages.js';

/** Which of an assignment's two models acts, and which runs in its shadow; null where there is none. */
export function armsOf(desired: Pick<Desired, 'serve' | 'production' | 'candidate'> | undefined): {
  acting: ModelRef | null;
  shadow: ModelRef | null;
} {
  if (desired === undefined) return { acting: null, shadow: null };
  const { serve, production, candidate } = desired;
  return serve === 'candidate'
    ? { acting: candidate, shadow: production }
    : { acting: production, shadow: candidate };
}
