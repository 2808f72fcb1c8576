import type { ComponentChildren, TargetedKeyboardEvent } from 'preact';
import { useEffect, useRef } from 'preact/hooks';

/** Small parts that pages are made of. What they look like is in base.css. */

interface ButtonProps {
  readonly children: ComponentChildren;
  readonly onPress: () => void;
  /** Said instead of the text, where the text alone does not say it. */
  readonly name?: string;
  /** More about it, for who rests on it. */
  readonly about?: string;
  readonly look?: 'primary' | 'quiet' | 'ad' | 'content' | '';
  readonly isPressed?: boolean;
  readonly isDisabled?: boolean;
  /** For those who hear the page. */
  readonly keys?: string;
  /** The same key for those who see it. */
  readonly hint?: string;
}

/** A pointer leaves the focus where it was, so that keys go on meaning the page. */
export function Button({
  children,
  onPress,
  name,
  about,
  look = '',
  isPressed,
  isDisabled,
  keys,
  hint,
}: ButtonProps) {
  return (
    <button
      type="button"
      class={`button ${look}`}
      onClick={onPress}
      onMouseDown={keepFocus}
      aria-label={name}
      title={about}
      aria-pressed={isPressed}
      aria-keyshortcuts={keys}
      disabled={isDisabled}
    >
      {children}
      {hint && (
        <span class="kbd" aria-hidden="true">
          {hint}
        </span>
      )}
    </button>
  );
}

export const keepFocus = (event: Event): void => event.preventDefault();

interface TabsProps<Id extends string> {
  readonly label: string;
  readonly tabs: readonly { readonly id: Id; readonly title: string }[];
  readonly chosen: Id;
  readonly onChoose: (id: Id) => void;
  readonly children: ComponentChildren;
}

const TAB_STEPS = new Map([
  ['ArrowLeft', -1],
  ['ArrowRight', 1],
]);

/** Tabs by the pattern of ARIA's practices: one stop of the tab key, arrows between them. */
export function Tabs<Id extends string>({ label, tabs, chosen, onChoose, children }: TabsProps<Id>) {
  const onKeyDown = (event: TargetedKeyboardEvent<HTMLDivElement>) => {
    const by = TAB_STEPS.get(event.key);
    if (by === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    const at = tabs.findIndex(({ id }) => id === chosen);
    const next = tabs[(at + by + tabs.length) % tabs.length];
    if (next === undefined) return;
    onChoose(next.id);
    document.getElementById(`tab-${next.id}`)?.focus();
  };
  return (
    <>
      <div role="tablist" aria-label={label} class="tabs" onKeyDown={onKeyDown}>
        {tabs.map(({ id, title }) => (
          <button
            key={id}
            type="button"
            role="tab"
            class="tab"
            id={`tab-${id}`}
            aria-selected={id === chosen}
            aria-controls="tab-panel"
            tabIndex={id === chosen ? 0 : -1}
            onClick={() => onChoose(id)}
          >
            {title}
          </button>
        ))}
      </div>
      <div role="tabpanel" id="tab-panel" class="tab-panel" aria-labelledby={`tab-${chosen}`}>
        {children}
      </div>
    </>
  );
}

interface DialogProps {
  readonly title: string;
  readonly onClose?: () => void;
  readonly children: ComponentChildren;
}

/** Open while it is on the page. Without `onClose` it stays until it is answered. */
export function Dialog({ title, onClose, children }: DialogProps) {
  const ref = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const before = document.activeElement;
    ref.current?.showModal();
    return () => {
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  const onCancel = (event: Event) => {
    event.preventDefault();
    onClose?.();
  };
  // A browser lets nobody be held: it closes at a second Escape, whatever was answered to the first.
  const onClosed = () => {
    if (onClose) onClose();
    else ref.current?.showModal();
  };
  return (
    <dialog ref={ref} class="dialog" aria-labelledby="dialog-title" onCancel={onCancel} onClose={onClosed}>
      <h2 id="dialog-title" class="dialog-title">
        {title}
      </h2>
      {children}
    </dialog>
  );
}

export function Kbd({ keys }: { readonly keys: readonly string[] }) {
  return (
    <>
      {keys.map((key) => (
        <kbd key={key}>{key}</kbd>
      ))}
    </>
  );
}
