import type { QueueItem } from '@adbreak/shared/contract/labelling.js';
import { useEffect, useRef } from 'preact/hooks';
import { Meter } from '../../kit/charts.js';
import { Kbd, keepFocus } from '../../kit/parts.js';
import { counted, formatClock, formatLength } from '../clock.js';
import type { Desk } from '../desk.js';
import { formatProgress, paceOf, progressOf } from '../labels/progress.js';
import * as state from '../state.js';

/** The doubtful places, the one that settles most first. */
export function QueuePanel({ desk }: { readonly desk: Desk }) {
  const items = state.queue.value?.items ?? [];
  return (
    <section aria-label="Next places to look at" class="panel">
      <Progress />
      {items.length === 0 ? (
        <p class="empty">{whyNone()}</p>
      ) : (
        <ol class="rows">
          {items.map((item) => (
            <Item key={`${item.recording}${item.start}`} desk={desk} item={item} />
          ))}
        </ol>
      )}
    </section>
  );
}

function Progress() {
  const { spots, standing, decisions } = state;
  if (spots.value.length === 0) return null;
  const progress = progressOf(spots.value, standing.value, paceOf(decisions.value));
  return (
    <div class="progress">
      <p>{formatProgress(progress)}</p>
      <Meter share={progress.done / Math.max(1, progress.total)} label="Spots labelled" />
    </div>
  );
}

function whyNone(): string {
  if (state.queue.value === null) return 'Looking for doubtful places …';
  const isBusy = state.recordings.value.some(
    ({ analysis }) => analysis === 'waiting' || analysis === 'running',
  );
  if (isBusy) return 'Doubtful places come when the analysis is done. You can play and label meanwhile.';
  return 'Nothing doubtful is left. Press S to write the labels to files.';
}

function Item({ desk, item }: { desk: Desk; item: QueueItem }) {
  const isCurrent = state.isSameItem(item, state.queueItem.value);
  const row = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    if (isCurrent) row.current?.scrollIntoView({ block: 'nearest' });
  }, [isCurrent]);
  const name = state.recordings.value.find(({ id }) => id === item.recording)?.name ?? 'another recording';
  return (
    <li>
      <button
        ref={row}
        type="button"
        class="row"
        aria-current={isCurrent ? 'true' : undefined}
        onMouseDown={keepFocus}
        onClick={() => void desk.goToItem(item)}
      >
        <span class="row-head">
          <strong>{formatClock(item.start)}</strong>
          <span>{formatLength(item.end - item.start)}</span>
          {item.airings > 1 && <span class="count">{counted(item.airings, 'airing')}</span>}
          {item.guess && (
            <span class={`badge ${item.guess}`}>{item.guess === 'ad' ? 'AD?' : 'CONTENT?'}</span>
          )}
        </span>
        <span class="row-why">{item.why}</span>
        <span class="row-where">
          {name} · gain {item.gain.toFixed(item.gain < 10 ? 1 : 0)}
        </span>
      </button>
    </li>
  );
}

/** What A and C mean now, in one line, with the switch between one stretch and all airings. */
export function Meaning({ desk }: { readonly desk: Desk }) {
  const selection = state.selection.value;
  const spot = selection?.spot ?? null;
  if (selection === null) return <p class="meaning">{idleWords(desk)}</p>;
  const stretch = `${formatClock(selection.start)} to ${formatClock(selection.end)}, ${formatLength(selection.end - selection.start)}`;
  if (spot === null) return <p class="meaning">A or C labels {stretch}.</p>;
  const isAll = state.scope.value === 'all';
  return (
    <div class="meaning">
      <span>
        {spot.class} {state.spotName(spot)}: A or C labels
      </span>
      <fieldset class="switch">
        <legend class="unseen">What A and C label</legend>
        <button
          type="button"
          class="button"
          aria-pressed={!isAll}
          onMouseDown={keepFocus}
          onClick={() => isAll && desk.switchScope()}
        >
          this stretch
        </button>
        <button
          type="button"
          class="button"
          aria-pressed={isAll}
          onMouseDown={keepFocus}
          onClick={() => isAll || desk.switchScope()}
        >
          all {counted(spot.airings.length, 'airing')}
        </button>
      </fieldset>
      <Kbd keys={['T']} />
    </div>
  );
}

function idleWords(desk: Desk): string {
  const painting = state.painting.value;
  if (painting !== null)
    return `Labelling ${painting.label === 'ad' ? 'AD' : 'CONTENT'} while it plays, since ${formatClock(painting.start)}. X stops.`;
  if (desk.player.isPlaying.value) return 'A or C labels from here on, while it plays.';
  return 'Play and press A or C, drag over the timeline, or press N for the next doubtful place.';
}
