/** A configuration before any schema has seen it. */
export type Tree = Readonly<Record<string, unknown>>;

export function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Every value by its dotted key; lists are values, and so are empty sections. */
export function flatten(tree: Tree, prefix = ''): Map<string, unknown> {
  const flat = new Map<string, unknown>();
  for (const [name, value] of Object.entries(tree)) {
    const key = `${prefix}${name}`;
    if (isTree(value) && Object.keys(value).length > 0)
      for (const [inner, below] of flatten(value, `${key}.`)) flat.set(inner, below);
    else flat.set(key, value);
  }
  return flat;
}

/**
 * The first tree with what the second says laid over it, section by section. A section of nothing (null in
 * YAML) says nothing.
 */
export function overlay(base: Tree, over: Tree): Tree {
  const merged: Record<string, unknown> = { ...base };
  for (const [name, value] of Object.entries(over)) {
    const below = base[name];
    if (!isTree(below)) merged[name] = value;
    else if (value !== null) merged[name] = isTree(value) ? overlay(below, value) : value;
  }
  return merged;
}

/** A tree of one value: `training.epochs` and 30 -> { training: { epochs: 30 } }. */
export function treeOf(key: string, value: unknown): Tree {
  const [name = '', ...rest] = key.split('.');
  return Object.fromEntries([[name, rest.length === 0 ? value : treeOf(rest.join('.'), value)]]);
}

/**
 * Which of the known dotted keys somebody may have meant: by its spelling, or by its last part in another
 * section.
 */
export function nearestKey(key: string, known: Iterable<string>): string | null {
  let nearest: { readonly key: string; readonly distance: number } | null = null;
  for (const candidate of known) {
    const distance = Math.min(
      editDistance(key, candidate),
      // Of two keys with the same last part, the one whose section is spelt alike is nearer.
      editDistance(lastPart(key), lastPart(candidate)) + 0.5,
    );
    if (nearest === null || distance < nearest.distance) nearest = { key: candidate, distance };
  }
  const most = Math.max(2, lastPart(key).length / 2);
  return nearest !== null && nearest.distance <= most ? nearest.key : null;
}

function lastPart(key: string): string {
  return key.slice(key.lastIndexOf('.') + 1);
}

/** Levenshtein's distance: insertions, deletions and exchanges of single characters. */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, j) => j);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const exchanged = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(exchanged, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
