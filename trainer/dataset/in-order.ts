/**
 * Works on up to `ahead` items at once and gives the results in the items' order. What one item's work throws, the reader gets
 * at that item's turn; then no more is begun, and it ends when what was begun has ended.
 */
export async function* inOrder<T, R>(
  items: Iterable<T>,
  ahead: number,
  work: (item: T) => Promise<R>,
): AsyncGenerator<R> {
  const begun: Promise<R>[] = [];
  const iterator = items[Symbol.iterator]();
  const begin = () => {
    const next = iterator.next();
    if (next.done === true) return;
    const result = work(next.value);
    // Its turn may never come.
    result.catch(() => undefined);
    begun.push(result);
  };
  try {
    for (let i = 0; i < ahead; i++) begin();
    for (let first = begun.shift(); first !== undefined; first = begun.shift()) {
      const result = await first;
      begin();
      yield result;
    }
  } finally {
    await Promise.allSettled(begun);
  }
}
