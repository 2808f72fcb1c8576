import { z } from 'zod';

/**
 * A sparse table: rows of places and counts, whole numbers from 0 to a limit each. Checked by one loop, for a tuple of schemas
 * for each row costs as much as all the rest of a window report. Its JSON Schema is the tuple's.
 * @param limits the largest value of each column
 * @param most rows
 */
export function sparse<Row extends readonly number[]>(
  limits: { readonly [Column in keyof Row]: number },
  most: number,
): z.ZodType<Row[]> {
  const columns: readonly number[] = limits;
  const row = z.any().meta({
    type: 'array',
    prefixItems: columns.map((maximum) => ({ type: 'integer', minimum: 0, maximum })),
    items: false,
    minItems: columns.length,
    maxItems: columns.length,
  });
  return z
    .array(row)
    .max(most)
    .check((context) => {
      const wrong = wrongPlace(context.value, columns);
      if (wrong !== null) context.issues.push({ code: 'custom', input: context.value, ...wrong });
    });
}

function wrongPlace(
  rows: readonly unknown[],
  limits: readonly number[],
): { readonly path: number[]; readonly message: string } | null {
  for (let r = 0; r < rows.length; r++) {
    const row = rows[r];
    if (!Array.isArray(row) || row.length !== limits.length)
      return { path: [r], message: `must be a list of ${limits.length} numbers` };
    for (let c = 0; c < limits.length; c++) {
      const [value, limit = 0] = [row[c], limits[c]];
      if (!(Number.isInteger(value) && value >= 0 && value <= limit))
        return { path: [r, c], message: `must be a whole number from 0 to ${limit}` };
    }
  }
  return null;
}
