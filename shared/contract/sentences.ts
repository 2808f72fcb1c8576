import type { z } from 'zod';

type Issue = z.core.$ZodRawIssue;
type Of<C extends Issue['code']> = Extract<Issue, { code: C }>;

/** What a value must be, as people say it; zod's names are a programmer's. */
const KINDS: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  tuple: 'a list',
  object: 'an object with fields',
  record: 'an object with fields',
  null: 'null',
  never: 'left out',
};
/** Forms of texts that have a name. */
const FORMS: Readonly<Record<string, string>> = {
  datetime: 'a time in UTC such as 2026-01-31T12:00:00Z',
  date: 'a day such as 2026-01-31',
  url: 'a whole address such as https://hub.example:8443',
  ipv4: 'an IPv4 address',
  ipv6: 'an IPv6 address',
  uuid: 'a UUID',
};
const SHOWN = 12;

/**
 * What is wrong with a value, as the end of a sentence that begins with the name of its field: `must be a whole
 * number: it is a text`. For schemas that say nothing better themselves.
 */
export function sentenceOf(issue: Issue): string {
  switch (issue.code) {
    case 'invalid_type':
      return typeSentence(issue);
    case 'too_big':
      return sizeSentence(issue.origin, issue.maximum, issue.inclusive === false ? 'below' : 'at most');
    case 'too_small':
      return sizeSentence(issue.origin, issue.minimum, issue.inclusive === false ? 'above' : 'at least');
    case 'not_multiple_of':
      return `must be a multiple of ${issue.divisor}`;
    case 'invalid_value':
      return valueSentence(issue.values);
    case 'invalid_format':
      return formSentence(issue);
    case 'unrecognized_keys':
      return `has ${issue.keys.slice(0, SHOWN).map(quoted).join(', ')}, which nothing here is called`;
    case 'invalid_key':
      return `has a name that is none: it ${issue.issues[0]?.message ?? 'does not fit'}`;
    case 'invalid_union':
      return unionSentence(issue);
    case 'invalid_element':
    case 'custom':
      return 'does not fit what it is for';
  }
}

function typeSentence({ expected, input }: Of<'invalid_type'>): string {
  if (input === undefined) return 'is missing';
  return `must be ${KINDS[expected] ?? expected}: it is ${kindOf(input)}`;
}

function sizeSentence(origin: string, bound: number | bigint, how: string): string {
  if (origin === 'string') return `must have ${how} ${bound} characters`;
  if (origin === 'array' || origin === 'set') return `must have ${how} ${bound} entries`;
  return `must be ${how} ${bound}`;
}

function valueSentence(values: readonly unknown[]): string {
  const shown = values.slice(0, SHOWN).map(quoted);
  if (values.length > SHOWN) shown.push('…');
  return shown.length === 1 ? `must be ${shown[0]}` : `must be one of ${shown.join(', ')}`;
}

function formSentence({ format, pattern }: Of<'invalid_format'>): string {
  const named = FORMS[format];
  if (named !== undefined) return `must be ${named}`;
  return pattern === undefined ? `is no ${format}` : `must have the form ${pattern}`;
}

/** Of several forms the one that fits best tells most: the one with the fewest things wrong, deepest inside. */
function unionSentence(issue: Of<'invalid_union'>): string {
  const { options } = issue;
  if (Array.isArray(options)) return valueSentence(options);
  const errors: readonly (readonly z.core.$ZodIssue[])[] = issue.errors;
  const [nearest] = errors.toSorted(
    (a, b) => a.length - b.length || (b[0]?.path.length ?? 0) - (a[0]?.path.length ?? 0),
  );
  const [first] = nearest ?? [];
  if (first === undefined) return 'fits none of the forms that it may have';
  return first.path.length === 0 ? first.message : `${first.path.join('.')} ${first.message}`;
}

function kindOf(input: unknown): string {
  if (input === null) return 'null';
  if (Array.isArray(input)) return 'a list';
  if (Number.isNaN(input)) return 'no number';
  if (typeof input === 'number') return Number.isInteger(input) ? 'a number' : 'a number with a fraction';
  return KINDS[typeof input] ?? `a ${typeof input}`;
}

function quoted(value: unknown): string {
  return typeof value === 'bigint' ? String(value) : (JSON.stringify(value) ?? String(value));
}
