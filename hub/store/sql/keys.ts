import { z } from 'zod';
import type { Row, Value } from './queries.js';

/** Devices name channels, and may do so in half a character, which a database would store as another one. */
export function escaped(key: string): string {
  return JSON.stringify(key).slice(1, -1);
}
export function unescaped(key: unknown): string {
  return z.string().parse(JSON.parse(`"${String(key)}"`));
}

/** A row's keys as its table has them: numbers are times and stay what they are. */
export function keysAs(columns: readonly string[], values: readonly (string | number)[]): Row {
  return Object.fromEntries(
    columns.map((column, i): [string, Value] => {
      const one = values[i] ?? '';
      return [column, typeof one === 'number' ? one : escaped(one)];
    }),
  );
}
