import { signal } from '@preact/signals';
import { pageStorage } from './storage.js';

/** `auto` is what the system says. */
export const THEMES = ['auto', 'light', 'dark'] as const;
export type Theme = (typeof THEMES)[number];

const KEY = 'adbreak.theme';
const isTheme = (text: string | null): text is Theme => THEMES.some((theme) => theme === text);

export const theme = signal<Theme>('auto');
/** Counts whenever colours may have changed: who paints them by hand reads them again. */
export const paintings = signal(0);

export function startTheme(): void {
  const kept = pageStorage.get(KEY);
  chooseTheme(isTheme(kept) ? kept : 'auto');
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
    paintings.value++;
  });
}

export function chooseTheme(chosen: Theme): void {
  theme.value = chosen;
  pageStorage.set(KEY, chosen);
  if (chosen === 'auto') delete document.documentElement.dataset['theme'];
  else document.documentElement.dataset['theme'] = chosen;
  paintings.value++;
}

/** The colours that tokens stand for now, by name without dashes. */
export function tokenColours<Name extends string>(names: readonly Name[]): Record<Name, string> {
  const probe = document.createElement('span');
  probe.hidden = true;
  document.body.append(probe);
  const entries = names.map((name) => {
    probe.style.color = `var(--${name})`;
    return [name, getComputedStyle(probe).color] as const;
  });
  probe.remove();
  return Object.fromEntries(entries) as Record<Name, string>;
}
