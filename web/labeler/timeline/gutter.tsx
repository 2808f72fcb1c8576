import * as state from '../state.js';
import { LANES, type LaneId } from './lanes.js';

/** Names of the lanes, and which of them stay empty. */
export function Gutter() {
  return (
    <div class="gutter">
      {LANES.filter(({ title }) => title !== '').map(({ id, title, y, height }) => (
        <div
          key={id}
          class={`lane-name ${id}`}
          ref={(element) => {
            if (element === null) return;
            element.style.top = `${y}px`;
            element.style.height = `${height}px`;
          }}
        >
          {isEmpty(id) ? `No ${title.toLowerCase()}` : title}
        </div>
      ))}
    </div>
  );
}

function isEmpty(id: LaneId): boolean {
  const { recording, chosenSignals, airingsHere } = state;
  const isReady = recording.value?.analysis === 'ready';
  if (id === 'wave') return recording.value?.hasSound === false;
  if (id === 'model') return isReady && chosenSignals.value?.model.length === 0;
  if (id === 'spots') return isReady && airingsHere.value.length === 0;
  return false;
}
