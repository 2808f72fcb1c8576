/** What the gate says of a rollout, and why; names that stand in event logs for ever. */
export const VERDICTS = ['PASS', 'HOLD', 'SUSPEND', 'FAIL', 'INCONCLUSIVE', 'WORLD', 'AMBIGUOUS', 'APART'] as const;
export type VerdictName = (typeof VERDICTS)[number];
export const CAUSES = [
  'no-worse',
  'no-harm',
  'worse',
  'worse-in-slice',
  'unlike-others',
  'too-many-apart',
  'crashes',
  'latency',
  'memory',
  'failures',
  'world',
  'ambiguous',
  'candidate-changed',
  'devices',
  'episodes',
  'silent',
  'soak',
  'labels',
  'one-device',
  'evidence',
  'days',
  'siblings',
  'outdone',
  'round',
  'approval',
  'window',
  'watch',
  'suspended',
] as const;
export type Cause = (typeof CAUSES)[number];
