/**
 * Text that is HTML or SVG already. Only `markup` makes it, so that what comes from outside is always
 * escaped.
 */
export class Markup {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}
export type Content = Markup | string | number | null | readonly Content[];

/** A template: what is put in is escaped, but for markup and lists of it; null is nothing. */
export function markup(parts: TemplateStringsArray, ...contents: Content[]): Markup {
  return new Markup(
    parts.map((part, i) => (i === 0 ? part : textOf(contents[i - 1] ?? null) + part)).join(''),
  );
}

function textOf(content: Content): string {
  if (content === null) return '';
  if (content instanceof Markup) return content.text;
  if (typeof content === 'object') return content.map(textOf).join('');
  return escaped(String(content));
}

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};
/**
 * For text and for attributes in quotes. Control characters, which HTML forbids, become a replacement
 * character.
 */
function escaped(text: string): string {
  return text
    .replace(/[&<>"']/g, (character) => ESCAPES[character] ?? '')
    .replace(/(?![\t\n\r])\p{Cc}/gu, '\uFFFD');
}
