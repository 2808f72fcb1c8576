/** What a key may mean. Each has one row in the table below, which the help shows and the page listens by. */
export type Command =
  | 'ad'
  | 'content'
  | 'remove'
  | 'undo'
  | 'redo'
  | 'save'
  | 'play'
  | 'second-back'
  | 'second-forward'
  | 'cut-back'
  | 'cut-forward'
  | 'frame-back'
  | 'frame-forward'
  | 'slower'
  | 'faster'
  | 'next'
  | 'border-back'
  | 'border-forward'
  | 'nudge-back'
  | 'nudge-forward'
  | 'spot'
  | 'scope'
  | 'zoom-in'
  | 'zoom-out'
  | 'fit'
  | 'recording'
  | 'help'
  | 'escape';

export const KEY_GROUPS = ['Label', 'Play', 'Find', 'Look'] as const;

/** A key as a browser names it, and what is held with it. Where `shift` is not said, it does not matter. */
export interface Stroke {
  readonly key: string;
  readonly shift?: boolean;
  readonly ctrl?: boolean;
}
export interface KeyRow {
  readonly command: Command;
  readonly group: (typeof KEY_GROUPS)[number];
  readonly strokes: readonly Stroke[];
  /** How the strokes are written on the page. */
  readonly shown: readonly string[];
  readonly help: string;
}

const plain = (key: string): Stroke => ({ key, shift: false });
const shifted = (key: string): Stroke => ({ key, shift: true });
const row = (
  group: KeyRow['group'],
  command: Command,
  strokes: readonly Stroke[],
  shown: readonly string[],
  help: string,
): KeyRow => ({ group, command, strokes, shown, help });

export const KEYS: readonly KeyRow[] = [
  row('Label', 'ad', [plain('a')], ['A'], 'Ad: the selected stretch, or, while it plays, from here on'),
  row('Label', 'content', [plain('c')], ['C'], 'Content: the same for the programme'),
  row('Label', 'remove', [plain('x')], ['X'], 'Take the label away; while it plays, stop labelling'),
  row('Label', 'undo', [plain('u')], ['U'], 'Undo, as far back as you like'),
  row('Label', 'redo', [shifted('u'), { key: 'r' }], ['Shift U', 'R'], 'Redo'),
  row('Label', 'save', [plain('s')], ['S'], 'Save: write the folders and files of labels'),
  row('Label', 'spot', [plain('p')], ['P'], 'Choose the spot under the playhead, for all its airings'),
  row('Label', 'scope', [plain('t')], ['T'], 'Switch between this stretch and all airings'),
  row('Play', 'play', [{ key: ' ' }], ['Space'], 'Play or pause'),
  row('Play', 'second-back', [plain('ArrowLeft')], ['←'], 'One second back'),
  row('Play', 'second-forward', [plain('ArrowRight')], ['→'], 'One second forward'),
  row('Play', 'frame-back', [{ key: ',' }], [','], 'One frame back'),
  row('Play', 'frame-forward', [{ key: '.' }], ['.'], 'One frame forward'),
  row('Play', 'slower', [{ key: '[' }], ['['], 'Slower, down to a quarter'),
  row('Play', 'faster', [{ key: ']' }], [']'], 'Faster, up to eight times'),
  row('Find', 'next', [plain('n')], ['N'], 'The next doubtful place'),
  row('Find', 'border-back', [plain('j')], ['J'], 'The border before'),
  row('Find', 'border-forward', [plain('k')], ['K'], 'The border after'),
  row('Find', 'nudge-back', [shifted('ArrowLeft')], ['Shift ←'], 'Move the chosen border a frame earlier'),
  row('Find', 'nudge-forward', [shifted('ArrowRight')], ['Shift →'], 'Move the chosen border a frame later'),
  row('Find', 'cut-back', [{ key: 'ArrowLeft', ctrl: true }], ['Ctrl ←'], 'The cut before'),
  row('Find', 'cut-forward', [{ key: 'ArrowRight', ctrl: true }], ['Ctrl →'], 'The cut after'),
  row('Look', 'zoom-in', [{ key: '+' }, { key: '=' }], ['+'], 'Zoom in; the wheel does, too'),
  row('Look', 'zoom-out', [{ key: '-' }], ['−'], 'Zoom out'),
  row('Look', 'fit', [{ key: '0' }], ['0'], 'The whole recording'),
  row('Look', 'recording', [...'123456789'].map(plain), ['1', '…', '9'], 'The first to the ninth recording'),
  row('Look', 'help', [{ key: '?' }], ['?'], 'This list'),
  row('Look', 'escape', [{ key: 'Escape' }], ['Esc'], 'Close, or choose nothing'),
];

/** What of a keyboard event counts. */
export interface Pressed {
  readonly key: string;
  readonly shiftKey: boolean;
  readonly ctrlKey: boolean;
  readonly metaKey: boolean;
  readonly altKey: boolean;
}

/** The row that a key belongs to; null for the browser's own shortcuts and all other keys. */
export function rowOf(pressed: Pressed): KeyRow | null {
  if (pressed.metaKey || pressed.altKey) return null;
  return KEYS.find(({ strokes }) => strokes.some((stroke) => fits(stroke, pressed))) ?? null;
}

function fits(stroke: Stroke, pressed: Pressed): boolean {
  const key = pressed.key.length === 1 ? pressed.key.toLowerCase() : pressed.key;
  const shiftFits = stroke.shift === undefined || stroke.shift === pressed.shiftKey;
  return key === stroke.key && shiftFits && (stroke.ctrl ?? false) === pressed.ctrlKey;
}

/** A key that is one letter or sign needs a way to be switched off (WCAG 2.1.4); keys with a name stay. */
export const isCharacterKey = (key: string): boolean => key.length === 1 && key !== ' ';
