/** An entry that is really there. Names come from outside, and every object has a `constructor`; undefined where there is none. */
export function ownValue<T>(record: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}
