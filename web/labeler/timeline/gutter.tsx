import * as state from '../state.js';
import { LANES, type LaneId } from './lanes.js';

/** Names of the lanes, and why one of them is empty. */
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
          {title}
          {whyEmpty(id) && <span class="why"> {whyEmpty(id)}</span>}
        </div>
      ))}
    </div>
  );
}

function whyEmpty(id: LaneId): string | null {
  const { recording, chosenSignals, airingsHere } = state;
  const isReady = recording.value?.analysis === 'ready';
  if (id === 'wave' && recording.value?.hasSound === false) return 'none';
  if (id === 'model' && isReady && chosenSignals.value?.model.length === 0) return 'none';
  if (id === 'spots' && isReady && airingsHere.value.length === 0) return 'none';
  return null;
}
