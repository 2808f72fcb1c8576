import type { LabelAction } from '@adbreak/shared/contract/labelling.js';

/** A label that grows while the recording plays. */
export interface Painting {
  /** The action that began it. */
  readonly id: string;
  readonly recording: string;
  readonly label: 'ad' | 'content';
  readonly start: number;
  /** As far as the server was told. */
  readonly end: number;
}
export type PaintEvent =
  /** A or C while it plays: from here on. `end` is that of the frame that is shown. */
  | { kind: 'label'; label: 'ad' | 'content'; recording: string; at: number; end: number }
  /** It plays on; told every second or two. */
  | { kind: 'tick'; at: number }
  /** Pause, seek, another recording, X: up to here. */
  | { kind: 'stop'; at: number };
export interface PaintStep {
  readonly painting: Painting | null;
  readonly actions: LabelAction[];
}

/** `newId` gives ids for the actions, in order. */
export function paintStep(painting: Painting | null, event: PaintEvent, newId: () => string): PaintStep {
  switch (event.kind) {
    case 'tick':
      return grown(painting, event.at, newId);
    case 'stop':
      return { painting: null, actions: grown(painting, event.at, newId).actions };
    case 'label': {
      if (painting?.label === event.label) return grown(painting, event.at, newId);
      const ended = grown(painting, event.at, newId).actions;
      const begun = begin(event, newId());
      return { painting: begun.painting, actions: [...ended, ...begun.actions] };
    }
  }
}

function begin({ label, recording, at, end }: PaintEvent & { kind: 'label' }, id: string): PaintStep {
  return {
    painting: { id, recording, label, start: at, end },
    actions: [{ kind: 'paint', id, recording, start: at, end, label, how: 'play' }],
  };
}

function grown(painting: Painting | null, at: number, newId: () => string): PaintStep {
  if (painting === null || at <= painting.end) return { painting, actions: [] };
  return {
    painting: { ...painting, end: at },
    actions: [{ kind: 'extend', id: newId(), of: painting.id, end: at }],
  };
}
