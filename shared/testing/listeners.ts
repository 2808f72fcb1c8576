import { getEventListeners } from 'node:events';

/** What still hangs on a signal: its listeners, and what AbortSignal.any leaves behind on Node 20. */
export function leftOn(signal: AbortSignal): number {
  const sets = Object.getOwnPropertySymbols(signal).map((symbol): unknown => Reflect.get(signal, symbol));
  const dependants = sets.reduce<number>((sum, one) => sum + (one instanceof Set ? one.size : 0), 0);
  return getEventListeners(signal, 'abort').length + dependants;
}
