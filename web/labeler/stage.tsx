import type { ComponentChildren } from 'preact';
import { Button } from '../kit/parts.js';
import { formatClock } from './clock.js';
import type { Desk } from './desk.js';
import { spanAt } from './labels/spans.js';
import * as state from './state.js';

/** The video, what is said of the shown frame, and the buttons beside the keys. */
export function Stage({ desk, video }: { readonly desk: Desk; readonly video: ComponentChildren }) {
  const { player } = desk;
  return (
    <section class="stage card" aria-label="Player">
      <div class="screen">
        {video}
        {player.picture.value && (
          <img
            class="still"
            src={player.picture.value}
            alt=""
            onLoad={() => player.pictureShown()}
            onError={() => player.pictureFailed()}
          />
        )}
        <Now desk={desk} />
        <Note />
        {player.isWaiting.value && player.picture.value === null && (
          <span class="loading">loading this place …</span>
        )}
      </div>
      <Controls desk={desk} />
    </section>
  );
}

/** The label of the shown frame, over the picture. */
function Now({ desk }: { desk: Desk }) {
  void desk.player.frame.value;
  const growing = state.painting.value;
  const span = spanAt(state.shownSpans.value, desk.player.time);
  const label = growing?.label ?? span?.label ?? null;
  if (label === null) return null;
  const isPending = growing !== null || span?.isPending === true;
  return (
    <span class={`now ${label} ${isPending ? 'pending' : ''}`}>{label === 'ad' ? 'AD' : 'CONTENT'}</span>
  );
}

function Controls({ desk }: { desk: Desk }) {
  const { player } = desk;
  const isPlaying = player.isPlaying.value;
  return (
    <div class="controls">
      <div class="group">
        <Button name="One frame back" keys="," onPress={() => desk.run('frame-back')}>
          <Mark d="M11 3 5 8l6 5zM3 3h1.5v10H3z" />
        </Button>
        <Button
          name={isPlaying ? 'Pause' : 'Play'}
          keys="Space"
          look="primary"
          onPress={() => desk.run('play')}
        >
          <Mark d={isPlaying ? 'M4 3h3v10H4zM9 3h3v10H9z' : 'M4 2.5 13 8l-9 5.5z'} />
        </Button>
        <Button name="One frame forward" keys="." onPress={() => desk.run('frame-forward')}>
          <Mark d="M5 3l6 5-6 5zM11.5 3H13v10h-1.5z" />
        </Button>
      </div>
      <Clock desk={desk} />
      <div class="group">
        <Button name="Slower" keys="[" onPress={() => desk.run('slower')}>
          −
        </Button>
        <output class="speed" aria-label="Speed">
          {player.speed.value} ×
        </output>
        <Button name="Faster" keys="]" onPress={() => desk.run('faster')}>
          +
        </Button>
      </div>
      <div class="group label-buttons">
        <Button look="ad" keys="a" onPress={() => desk.run('ad')} hint="A">
          Ad
        </Button>
        <Button look="content" keys="c" onPress={() => desk.run('content')} hint="C">
          Content
        </Button>
        <Button keys="x" about="Take the label away" onPress={() => desk.run('remove')} hint="X">
          None
        </Button>
        <Button
          keys="u"
          about={state.undoable.value ?? 'nothing to undo'}
          onPress={() => desk.run('undo')}
          hint="U"
        >
          Undo
        </Button>
      </div>
    </div>
  );
}

/** Time and number of the shown frame, both from the list of the recording's own timestamps. */
function Clock({ desk }: { desk: Desk }) {
  const { player } = desk;
  return (
    <p class="clock">
      <strong>{formatClock(player.time, 3)}</strong>
      <span>
        frame {player.frame.value} of {player.times.value.length}
      </span>
    </p>
  );
}

function Mark({ d }: { d: string }) {
  return (
    <svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" class="mark">
      <path d={d} />
    </svg>
  );
}

/** What was done last, in words; read out by screen readers. */
function Note() {
  const { text, isTrouble } = state.note.value;
  return (
    <p class={`note ${isTrouble ? 'trouble' : ''}`} role="status" aria-live="polite">
      {text}
    </p>
  );
}
