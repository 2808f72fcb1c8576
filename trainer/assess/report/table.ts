import { type Content, type Markup, markup } from './markup.js';

export interface Column {
  readonly name: string;
  /** Numbers stand to the right. */
  readonly isNumber?: boolean;
}
/** A row's header, then its cells; a cell may be as wide as several columns. */
export type Row = readonly [
  header: Content,
  ...cells: (Content | { readonly wide: number; readonly says: string })[],
];

/** A table whose first column names the rows. It scrolls by itself where it is too wide, by keyboard too. */
export function dataTable(label: string, columns: readonly Column[], rows: readonly Row[]): Markup {
  const kind = (place: number) => (columns[place]?.isNumber === true ? 'number' : '');
  const cell = (content: Row[number], place: number): Content =>
    isWide(content)
      ? markup`<td class="number" colspan="${content.wide}">${content.says}</td>`
      : markup`<td class="${kind(place)}">${content}</td>`;
  const row = ([header, ...cells]: Row): Content =>
    markup`<tr><th scope="row">${header}</th>${cells.map((content, i) => cell(content, i + 1))}</tr>\n`;
  const head = columns.map(({ name }, i) => markup`<th scope="col" class="${kind(i)}">${name}</th>`);
  return markup`<div class="table" tabindex="0" role="region" aria-label="${label}"><table>
<thead><tr>${head}</tr></thead>
<tbody>${rows.map(row)}</tbody>
</table></div>`;
}

/** Names and values, two columns without a head. */
export function factTable(
  facts: readonly (readonly [name: string, value: string])[],
  caption?: string,
): Markup {
  const row = ([name, value]: readonly [string, string]): Content =>
    markup`<tr><th scope="row">${name}</th><td class="value">${value}</td></tr>\n`;
  const above = caption === undefined ? null : markup`<caption>${caption}</caption>`;
  return markup`<table>${above}<tbody>${facts.map(row)}</tbody></table>`;
}

function isWide(content: Row[number]): content is { readonly wide: number; readonly says: string } {
  return typeof content === 'object' && content !== null && 'wide' in content;
}
