import type { LabelRecording } from '@adbreak/shared/contract/labelling.js';
import type { ComponentChildren } from 'preact';
import { counted } from './clock.js';
import * as state from './state.js';

/** What is not as usual, each in one sentence with what to do. */
export function Banners() {
  const recording = state.recording.value;
  const words = recording ? recordingWords(recording) : null;
  return (
    <div class="banners" role="status">
      {!state.isReachable.value && <p class="banner trouble">{goneWords(state.waiting.value.length)}</p>}
      {state.isUnkept.value && state.waiting.value.length > 0 && <p class="banner trouble">{UNKEPT}</p>}
      {state.recordings.value.length === 0 && state.note.value.isTrouble && (
        <p class="banner trouble">{state.note.value.text}</p>
      )}
      {words && <p class={`banner ${recording?.analysis === 'failed' ? 'trouble' : ''}`}>{words}</p>}
    </div>
  );
}

const UNKEPT =
  'This browser has no room for what you did, or may not keep it. Leave this page open until it says “All on disk”.';
const GONE =
  'The server does not answer. Look whether “adbreak label” still runs; this page tries again by itself.';
const SHUT_OUT =
  'The server was started anew and does not let this page in. Open the address that “adbreak label” printed, in this browser; then this page goes on by itself.';

function goneWords(count: number): string {
  const gone = state.isShutOut.value ? SHUT_OUT : GONE;
  if (count === 0) return gone;
  return `${gone} ${counted(count, 'thing')} you did ${count === 1 ? 'is' : 'are'} kept here and will be sent then.`;
}

function recordingWords({ analysis, progress, problem, hasSound }: LabelRecording): string | null {
  const percent = `${Math.round(progress * 100)} %`;
  switch (analysis) {
    case 'waiting':
      return 'This recording waits for its analysis. You can play and label it already.';
    case 'running':
      return `This recording is being analysed (${percent}): sound, cuts and spots appear when it is done. You can label it already.`;
    case 'failed':
      return `This recording could not be analysed: ${problem ?? 'no reason was given'}. You can label it by hand; to try again, start “adbreak label” anew.`;
    case 'ready':
      return hasSound ? null : 'This recording has no sound, so spots are found by their pictures alone.';
  }
}

function Empty({ children, title }: { readonly title: string; readonly children: ComponentChildren }) {
  return (
    <section class="whole card">
      <h2>{title}</h2>
      {children}
    </section>
  );
}

/** Instead of the desk: why there is nothing to label. */
export function Nothing() {
  if (state.phase.value === 'loading')
    return (
      <Empty title="Loading …">
        <p>Asking the server what there is.</p>
      </Empty>
    );
  if (state.phase.value === 'unreachable')
    return (
      <Empty
        title={state.isShutOut.value ? 'The server does not let this page in' : 'The server does not answer'}
      >
        <p>
          {state.isShutOut.value
            ? SHUT_OUT
            : 'Start “adbreak label” again. This page goes on as soon as it answers.'}
        </p>
      </Empty>
    );
  return (
    <Empty title="No recordings yet">
      <p>
        There is no video in <code>{state.session.value?.videoDir ?? 'the video folder'}</code>. Put
        recordings there; they appear here by themselves.
      </p>
    </Empty>
  );
}
