/** Which part of the hub a step belongs to. */
export type Part = 'intake' | 'broker' | 'store' | 'database';
/** What must happen that a hub passes it soon: reports come by themselves, the others are ordered. */
export type Cause = 'report' | 'decision' | 'start';
interface StepFacts {
  readonly part: Part;
  readonly cause: Cause;
  /** The hub dies at one of so many passages. */
  readonly within: number;
}

/** Between a report's arrival and its acknowledgement, and between a decision and its effects: where a hub is killed. */
export const STEPS = {
  'report arrived': { part: 'intake', cause: 'report', within: 60 },
  'report kept, not acknowledged': { part: 'intake', cause: 'report', within: 60 },
  'report acknowledged': { part: 'intake', cause: 'report', within: 60 },
  'desired state on its way out': { part: 'broker', cause: 'decision', within: 14 },
  'report before its commit': { part: 'store', cause: 'report', within: 60 },
  'report committed': { part: 'store', cause: 'report', within: 60 },
  'in the middle of a commit': { part: 'database', cause: 'report', within: 60 },
  'start before its commit': { part: 'store', cause: 'start', within: 1 },
  'start committed': { part: 'store', cause: 'start', within: 1 },
  'assignment before its commit': { part: 'store', cause: 'start', within: 1 },
  'assignment committed': { part: 'store', cause: 'start', within: 1 },
  'decision before its commit': { part: 'store', cause: 'decision', within: 2 },
  'in the middle of the commit of a decision': { part: 'database', cause: 'decision', within: 2 },
  'decision committed, before its effects': { part: 'store', cause: 'decision', within: 2 },
  'desired states before their commit': { part: 'store', cause: 'decision', within: 1 },
  'desired states committed, not published': { part: 'store', cause: 'decision', within: 1 },
  'effect carried out, not struck out': { part: 'store', cause: 'decision', within: 2 },
  'effect struck out': { part: 'store', cause: 'decision', within: 2 },
} as const satisfies Record<string, StepFacts>;
export type Step = keyof typeof STEPS;
export const isStep = (name: string): name is Step => Object.hasOwn(STEPS, name);

/** The variable by which a doomed hub hears where it dies: the passage's number, a blank, the step's name. */
export const DOOM = 'ADBREAK_CRASH_AT';
