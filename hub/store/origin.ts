import { AsyncLocalStorage } from 'node:async_hooks';

/** Where a change comes from: the address that asked for it, and the request, as the hub's log names it. */
export interface Origin {
  readonly from: string;
  readonly request: string;
}
const origins = new AsyncLocalStorage<Origin>();

/** Does some work for who asks from there: every change that it asks the store for says so in the audit log. */
export function withOrigin<T>(origin: Origin, work: () => T): T {
  return origins.run(origin, work);
}

/** For whom this runs; undefined where nobody has asked for it, such as the gate's look. */
export function originNow(): Origin | undefined {
  return origins.getStore();
}
