import { printable } from './errors.js';

/**
 * The one logger of the hub and the agent: a line for people, and beside it what the line is about, for machines to find
 * it by. Whoever is handed a `Log` may call it with the line alone. program-log.ts writes it.
 */
export type Log = (line: string, about?: About) => void;

export interface About {
  readonly device?: string;
  readonly rollout?: string;
  readonly round?: string;
  readonly model?: string;
  /** Of an HTTP request, as the answer names it. */
  readonly request?: string;
  /** What went wrong, where the line tells of it: the entry is a warning, and has its code. */
  readonly error?: unknown;
}

export const LOG_FORMATS = ['auto', 'text', 'json'] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];

/** Text from elsewhere as one line that moves no cursor and tells no secret. */
export function harmless(text: string): string {
  return printable(redacted(text));
}

/** Our tokens (their first letters stay, so that the person knows which kind it was), keys, and passwords in addresses. */
function redacted(text: string): string {
  return text
    .replace(/-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g, '[key]')
    .replace(/\b(adbreak_(?:claim|token|session|first)_)[\w-]+/g, '$1[secret]')
    .replace(/\b(Bearer )[\w.~+/-]+=*/gi, '$1[secret]')
    .replace(/(\b[a-z][a-z0-9+.-]*:\/\/)[^\s/@]+@/gi, '$1[secret]@');
}
