import { DEVICE_ID } from '@adbreak/shared/contract/topics.js';

/** Who a certificate of the fleet is for. Names of devices and operators may be the same: the kind is in the certificate. */
export interface Subject {
  readonly kind: 'device' | 'operator';
  readonly name: string;
}

/** What operators' certificates say besides a name, and devices' do not. */
export const OPERATOR_UNIT = 'OU=operator';

/** Reads a certificate's subject as Node prints it, a part a line; null where it is for neither. */
export function subjectOf(subject: string): Subject | null {
  const [named = '', unit, ...more] = subject.split('\n').sort();
  const name = /^CN=(.+)$/.exec(named)?.[1] ?? '';
  if (more.length > 0 || !DEVICE_ID.test(name)) return null;
  if (unit === undefined) return { kind: 'device', name };
  return unit === OPERATOR_UNIT ? { kind: 'operator', name } : null;
}

/** One name for both kinds, as logs, quotas and the audit log have it: `pi-1`, `operator:desk`. */
export function whoIs({ kind, name }: Subject): string {
  return kind === 'device' ? name : `operator:${name}`;
}
