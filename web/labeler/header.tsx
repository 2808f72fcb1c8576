import type { LabelRecording } from '@adbreak/shared/contract/labelling.js';
import { Button } from '../kit/parts.js';
import { chooseTheme, THEMES, type Theme, theme } from '../kit/theme.js';
import { formatLength } from './clock.js';
import type { Desk } from './desk.js';
import * as state from './state.js';

export function Header({ desk, onName }: { readonly desk: Desk; readonly onName: () => void }) {
  return (
    <header class="header">
      <h1>
        Adbreak <span class="thin">labels</span>
      </h1>
      <RecordingChoice desk={desk} />
      <Disk />
      <div class="header-end">
        <Button name={`Labeller: ${state.labeller.value}. Change`} look="quiet" onPress={onName}>
          {state.labeller.value || 'Who?'}
        </Button>
        <ThemeChoice />
        <Button look="quiet" keys="?" onPress={() => desk.run('help')} hint="?">
          Keys
        </Button>
        <Button look="primary" keys="s" onPress={() => desk.run('save')} hint="S">
          Save
        </Button>
      </div>
    </header>
  );
}

function RecordingChoice({ desk }: { desk: Desk }) {
  const recordings = state.recordings.value;
  if (recordings.length === 0) return null;
  return (
    <label class="recording-choice">
      <span class="unseen">Recording</span>
      <select
        class="field"
        value={state.chosenId.value ?? ''}
        onChange={({ currentTarget }) => {
          void desk.open(currentTarget.value);
          currentTarget.blur();
        }}
      >
        {recordings.map((recording, index) => (
          <option key={recording.id} value={recording.id}>
            {optionWords(recording, index)}
          </option>
        ))}
      </select>
    </label>
  );
}

function optionWords({ name, duration, analysis, labelled }: LabelRecording, index: number): string {
  const own = labelled[state.labeller.value];
  const share = own ? Math.round(((own.ad + own.content) / duration) * 100) : 0;
  const ready = {
    waiting: ', analysis waits',
    running: ', being analysed',
    ready: '',
    failed: ', analysis failed',
  };
  const number = index < 9 ? `${index + 1}  ` : '';
  return `${number}${name}, ${formatLength(duration)}, ${share} % labelled${ready[analysis]}`;
}

/** Whether everything that was done is on disk. */
function Disk() {
  const count = state.waiting.value.length;
  const words = count === 0 ? 'All on disk' : `${count} not on disk yet`;
  return (
    <span class={`disk ${count === 0 ? 'kept' : 'open'}`}>
      <svg viewBox="0 0 12 12" width="12" height="12" aria-hidden="true">
        {count === 0 ? <path d="M2 6.5 5 9.5 10 3" /> : <circle cx="6" cy="6" r="4" />}
      </svg>
      {words}
    </span>
  );
}

const THEME_WORDS: Record<Theme, string> = {
  auto: 'Colours: auto',
  light: 'Colours: light',
  dark: 'Colours: dark',
};

function ThemeChoice() {
  const next = THEMES[(THEMES.indexOf(theme.value) + 1) % THEMES.length] ?? 'auto';
  return (
    <Button look="quiet" name={`${THEME_WORDS[theme.value]}. Change`} onPress={() => chooseTheme(next)}>
      <svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" class="theme-mark">
        <circle cx="8" cy="8" r="6.5" />
        <path d="M8 1.5a6.5 6.5 0 0 1 0 13z" />
      </svg>
      <span>{theme.value}</span>
    </Button>
  );
}
