import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isCharacterKey, KEYS, type Pressed, rowOf } from './keys.js';

const press = (key: string, held: Partial<Pressed> = {}): Pressed => ({
  key,
  shiftKey: false,
  ctrlKey: false,
  metaKey: false,
  altKey: false,
  ...held,
});
const commandOf = (key: string, held: Partial<Pressed> = {}) => rowOf(press(key, held))?.command ?? null;

describe('the keys', () => {
  test('mean what the issue says', () => {
    const said: [string, Partial<Pressed>, string | null][] = [
      ['a', {}, 'ad'],
      ['c', {}, 'content'],
      ['u', {}, 'undo'],
      ['U', { shiftKey: true }, 'redo'],
      ['r', {}, 'redo'],
      ['s', {}, 'save'],
      [' ', {}, 'play'],
      ['ArrowLeft', {}, 'second-back'],
      ['ArrowRight', { ctrlKey: true }, 'cut-forward'],
      ['ArrowRight', { shiftKey: true }, 'nudge-forward'],
      [',', {}, 'frame-back'],
      ['.', {}, 'frame-forward'],
      ['[', {}, 'slower'],
      [']', {}, 'faster'],
      ['n', {}, 'next'],
      ['j', {}, 'border-back'],
      ['k', {}, 'border-forward'],
      ['x', {}, 'remove'],
      ['p', {}, 'spot'],
      ['t', {}, 'scope'],
      ['?', { shiftKey: true }, 'help'],
      ['7', {}, 'recording'],
      ['Escape', {}, 'escape'],
      ['+', { shiftKey: true }, 'zoom-in'],
      ['-', {}, 'zoom-out'],
    ];
    assert.deepEqual(
      said.map(([key, held]) => [key, held, commandOf(key, held)]),
      said,
    );
  });

  test('leave the shortcuts of the browser alone', () => {
    for (const key of ['a', 'c', 'r', 's', 'p', 't'])
      assert.equal(commandOf(key, { ctrlKey: true }) ?? commandOf(key, { metaKey: true }), null, key);
    assert.equal(commandOf('ArrowLeft', { altKey: true }), null, 'back in the history');
  });

  test('have one meaning each, and a row in the help', () => {
    const strokes = KEYS.flatMap((row) => row.strokes.map((stroke) => ({ row, stroke })));
    for (const { row, stroke } of strokes) {
      const pressed = press(stroke.key, { shiftKey: stroke.shift ?? false, ctrlKey: stroke.ctrl ?? false });
      assert.equal(rowOf(pressed)?.command, row.command, `${stroke.key} of ${row.command}`);
    }
    assert.ok(KEYS.every(({ help, shown }) => help.length > 3 && shown.length > 0));
  });

  test('are letters, which can be switched off, or have names', () => {
    assert.deepEqual(['a', '?', ' ', 'Escape', 'ArrowLeft'].filter(isCharacterKey), ['a', '?']);
  });
});
