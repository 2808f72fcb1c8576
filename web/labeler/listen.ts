import type { Desk } from './desk.js';
import { isCharacterKey, rowOf } from './keys.js';
import * as state from './state.js';

/** Elements that have a use for keys themselves. */
const TYPED = 'input, textarea, select, [contenteditable]';
const PRESSED = 'button, [role="tab"], a, summary';

/** Keys of the whole page; those that the focused element needs stay its own. */
export function listenToKeys(desk: Desk): void {
  window.addEventListener('keydown', (event) => {
    const row = rowOf(event);
    if (row === null || isTaken(event)) return;
    if (isCharacterKey(event.key) && !state.areKeysOn.value && row.command !== 'help') return;
    // Holding a key moves on and on; it labels once.
    if (event.repeat && row.group === 'Label') return;
    event.preventDefault();
    desk.run(row.command, Number(event.key) || 0);
  });
}

function isTaken({ key, target }: KeyboardEvent): boolean {
  if (!(target instanceof Element)) return false;
  const isInDialog = target.closest('dialog') !== null || document.querySelector('dialog[open]') !== null;
  if (isInDialog) return !(key === '?' && state.isHelpOpen.value);
  if (target.closest(TYPED)) return true;
  return key === ' ' && target.closest(PRESSED) !== null;
}
