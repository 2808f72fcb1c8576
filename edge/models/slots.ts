import type { ModelRef } from '@adbreak/shared/contract/messages.js';

/** What the Pi remembers of the models it serves. docs/architecture.md, "The way of a model onto a Pi". */
export interface SlotState {
  /** The model that has proved itself; served after every start unless a trial runs. */
  readonly confirmed: ModelRef | null;
  /** Serving, not yet confirmed; `starts` is counted durably before the first load of each agent. */
  readonly trial: { readonly model: ModelRef; readonly starts: number } | null;
  /** What confirmed replaced: the way back. */
  readonly previous: ModelRef | null;
  /** Digests that failed their trial here. */
  readonly quarantined: readonly string[];
}
export const EMPTY_SLOTS: SlotState = { confirmed: null, trial: null, previous: null, quarantined: [] };

export type SlotEvent =
  | { readonly kind: 'arm'; readonly model: ModelRef }
  /** About to load the trial model. */
  | { readonly kind: 'start' }
  | { readonly kind: 'confirm' }
  | { readonly kind: 'fail' }
  /** Serve a model that is on disk and confirmed before, without trial. */
  | { readonly kind: 'return'; readonly model: ModelRef };

/** A trial that was started this often without confirming has crashed or hung this often. */
export const MOST_STARTS = 2;
const QUARANTINE_KEPT = 50;

export function serving(state: SlotState): ModelRef | null {
  return state.trial?.model ?? state.confirmed;
}

/** Pure; the result is persisted before anything acts on it. */
export function stepSlots(state: SlotState, event: SlotEvent): SlotState {
  switch (event.kind) {
    case 'arm':
      return { ...state, trial: { model: event.model, starts: 0 } };
    case 'start':
      if (state.trial === null) return state;
      return state.trial.starts >= MOST_STARTS
        ? fail(state)
        : { ...state, trial: { ...state.trial, starts: state.trial.starts + 1 } };
    case 'confirm':
      return state.trial === null
        ? state
        : { ...state, confirmed: state.trial.model, previous: state.confirmed, trial: null };
    case 'fail':
      return fail(state);
    case 'return':
      return { ...state, trial: null, confirmed: event.model, previous: state.confirmed };
  }
}

function fail(state: SlotState): SlotState {
  if (state.trial === null) return state;
  return {
    ...state,
    trial: null,
    quarantined: [...state.quarantined, state.trial.model.digest].slice(-QUARANTINE_KEPT),
  };
}
