import { type Documented, isDocumented, type JsonSchema, schemaOf } from './messages.js';

/** A field as a row of its table: path, what may stand there, what it means. */
type Row = readonly [field: string, form: string, meaning: string];

const HEAD: Row = ['field', 'form', 'meaning'];
const TABLE = /(<!-- fields: (\w+) -->\n)[\s\S]*?(<!-- end -->)/g;

/** A page with the tables of its messages as the schemas have them now. */
export function withTables(page: string, text: string): string {
  return text.replace(TABLE, (_, begin: string, name: string, end: string) => {
    if (!isDocumented(name)) throw new Error(`${page} has a table of ${name}, which is no message`);
    return `${begin}\n${tablesOf(name)}\n${end}`;
  });
}

export function tablesIn(text: string): string[] {
  return [...text.matchAll(TABLE)].map(([, , name = '']) => name);
}

/** Every field of a message, those inside of objects by their path. */
export function fieldsOf(name: Documented): Row[] {
  return variantsOf(schemaOf(name)).flatMap((variant) => rowsOf(variant, '', new Map()));
}

/** A message of several forms has a table for each, under what tells them apart. */
function tablesOf(name: Documented): string {
  const variants = variantsOf(schemaOf(name));
  return variants
    .map((variant) => {
      const table = tableOf(rowsOf(variant, '', new Map()));
      return variants.length === 1 ? table : `${titleOf(variant)}:\n\n${table}`;
    })
    .join('\n');
}

function variantsOf(schema: JsonSchema): JsonSchema[] {
  const variants = schema.oneOf ?? schema.anyOf;
  return variants === undefined ? [schema] : variants.flatMap((one) => variantsOf(plain(one)));
}

function titleOf({ properties = {} }: JsonSchema): string {
  return Object.entries(properties)
    .map(([name, property]) => [name, plain(property)] as const)
    .filter(([, { const: only, enum: some }]) => only !== undefined || some !== undefined)
    .map(([name, property]) => `\`${name}\` is ${formOf(property).replace(/, (?=[^,]*$)/, ' or ')}`)
    .join(', ');
}

function tableOf(fields: readonly Row[]): string {
  const rows = [HEAD, ...fields].map((row) => row.map((cell) => cell.replaceAll('|', '\\|')));
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  const [head = [], ...body] = rows;
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...body.map(line), ''].join('\n');
}

/** @param seen shapes that were told already, by their text: they are told once in a table */
function rowsOf(schema: JsonSchema, prefix: string, seen: Map<string, string>): Row[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, property]) => {
    const field = `${prefix}${name}`;
    const whole = plain(property);
    const { base, nullable } = withoutNull(whole);
    const inside = base.items !== undefined && !Array.isArray(base.items) ? plain(base.items) : base;
    const told = inside.properties === undefined ? undefined : seen.get(shapeOf(inside));
    const form = [
      `${told === undefined ? formOf(base) : `as \`${told}\``}${nullable ? ' or null' : ''}`,
      ...absenceOf(whole, schema.required?.includes(name) === true),
    ];
    const row: Row = [`\`${field}\``, form.join('; '), whole.description ?? base.description ?? ''];
    if (told !== undefined || inside.properties === undefined) return [row];
    seen.set(shapeOf(inside), field);
    return [row, ...rowsOf(inside, inside === base ? `${field}.` : `${field}[].`, seen)];
  });
}

function absenceOf({ default: otherwise }: JsonSchema, required: boolean): string[] {
  if (otherwise !== undefined) return [`absent: \`${JSON.stringify(otherwise)}\``];
  return required ? [] : ['may be absent'];
}

/** JSON Schema knows `true` and `false` for everything and nothing. */
function plain(schema: JsonSchema | boolean): JsonSchema {
  return typeof schema === 'boolean' ? {} : schema;
}

function withoutNull(schema: JsonSchema): { base: JsonSchema; nullable: boolean } {
  const options = schema.anyOf?.map(plain) ?? [];
  const [base, ...more] = options.filter(({ type }) => type !== 'null');
  return base !== undefined && more.length === 0 && options.length === 2
    ? { base, nullable: true }
    : { base: schema, nullable: false };
}

function shapeOf({ type, properties }: JsonSchema): string {
  return JSON.stringify([type, properties]);
}

function formOf(schema: JsonSchema): string {
  if (schema.const !== undefined) return `\`${String(schema.const)}\``;
  if (schema.enum !== undefined) return schema.enum.map((value) => `\`${String(value)}\``).join(', ');
  switch (schema.type) {
    case 'integer':
    case 'number':
      return numberForm(schema);
    case 'string':
      return textForm(schema);
    case 'boolean':
      return '`true` or `false`';
    case 'array':
      return listForm(schema);
    default:
      return schema.properties === undefined ? 'object of names and texts' : 'object';
  }
}

function listForm({ items, minItems, maxItems }: JsonSchema): string {
  if (Array.isArray(items)) return `list of ${items.length}`;
  if (maxItems === undefined) return 'list';
  return minItems === maxItems ? `list of ${maxItems}` : `list, at most ${maxItems}`;
}

function numberForm({ type, minimum, exclusiveMinimum, maximum }: JsonSchema): string {
  const parts = [bound('above', exclusiveMinimum) ?? bound('from', minimum), bound('to', maximum)];
  return [type === 'integer' ? 'whole number' : 'number', ...parts.filter((part) => part !== null)].join(' ');
}
/** Zod gives a whole number the bounds of what a double counts exactly: no bound of ours. */
function bound(word: string, limit: number | boolean | undefined): string | null {
  return typeof limit === 'number' && Math.abs(limit) < Number.MAX_SAFE_INTEGER
    ? `${word} ${limit.toLocaleString('en-US')}`
    : null;
}

const FORMS: Readonly<Record<string, string>> = {
  '^[0-9a-f]{64}$': '64 hexadecimal digits',
  '^[0-9a-f]{16}$': '16 hexadecimal digits',
};
function textForm({ format, pattern, minLength, maxLength }: JsonSchema): string {
  if (format === 'date-time') return 'time';
  if (pattern !== undefined) return FORMS[pattern] ?? `\`${pattern}\``;
  if (maxLength === undefined) return 'text';
  return minLength === undefined
    ? `at most ${maxLength} characters`
    : `${minLength} to ${maxLength} characters`;
}
