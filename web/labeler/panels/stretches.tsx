import { useSignal } from '@preact/signals';
import { Button, keepFocus } from '../../kit/parts.js';
import { formatClock, formatLength } from '../clock.js';
import type { Desk } from '../desk.js';
import type { ShownSpan } from '../labels/spans.js';
import * as state from '../state.js';

/** Rows that a person reads at once; more come by a button, so that a page of thousands stays quick. */
const AT_ONCE = 200;

/** The labels of this recording in words: what the lanes show, for those who do not see them. */
export function StretchesPanel({ desk }: { readonly desk: Desk }) {
  const shown = useSignal(AT_ONCE);
  const stretches = state.stretches.value;
  if (stretches.length === 0)
    return (
      <p class="empty">
        No labels here yet. Play and press A when an ad begins, C when the programme goes on.
      </p>
    );
  return (
    <section aria-label="Labels of this recording" class="panel">
      <Totals stretches={stretches} />
      <ol class="rows">
        {stretches.slice(0, shown.value).map((stretch) => (
          <Row key={`${stretch.start}`} desk={desk} stretch={stretch} />
        ))}
      </ol>
      {stretches.length > shown.value && (
        <Button
          onPress={() => {
            shown.value += AT_ONCE;
          }}
        >
          Show more of {stretches.length}
        </Button>
      )}
    </section>
  );
}

function Totals({ stretches }: { stretches: readonly ShownSpan[] }) {
  const seconds = (label: string) =>
    stretches.reduce((sum, each) => (each.label === label ? sum + each.end - each.start : sum), 0);
  return (
    <p class="progress">
      {formatLength(seconds('ad'))} of ads, {formatLength(seconds('content'))} of content
    </p>
  );
}

function Row({ desk, stretch }: { desk: Desk; stretch: ShownSpan }) {
  const { start, end, label, isPending } = stretch;
  const selection = state.selection.value;
  const isChosen = selection !== null && selection.start === start && selection.end === end;
  const choose = () => {
    desk.seek(start);
    desk.choose({ start, end, spot: null });
  };
  return (
    <li>
      <button
        type="button"
        class="row"
        aria-current={isChosen ? 'true' : undefined}
        onMouseDown={keepFocus}
        onClick={choose}
      >
        <span class="row-head">
          <span class={`badge ${label}`}>{label === 'ad' ? 'AD' : 'CONTENT'}</span>
          <strong>
            {formatClock(start)} – {formatClock(end)}
          </strong>
          <span>{formatLength(end - start)}</span>
          {isPending && <span class="pending">not on disk yet</span>}
        </span>
      </button>
    </li>
  );
}
