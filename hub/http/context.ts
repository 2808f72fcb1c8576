import type { DeviceEvent } from '@adbreak/shared/contract/messages.js';
import type { Broker } from '../broker/broker.js';
import type { Evaluations } from '../evaluations/evaluations.js';
import type { Authority, KeyAndCertificate } from '../identity/authority.js';
import type { DeviceCertificates } from '../identity/device-certificates.js';
import type { Registry } from '../registry/registry.js';
import type { Executor } from '../rollouts/executor.js';
import type { RolloutLog } from '../rollouts/log.js';
import type { Plan } from '../rollouts/plan.js';
import type { Store } from '../store/store.js';

/** What the routes work on. */
export interface HttpContext {
  readonly store: Store;
  readonly authority: Authority;
  readonly certificates: DeviceCertificates;
  readonly registry: Registry;
  readonly broker: Broker;
  readonly executor: Executor;
  readonly evaluations: Evaluations;
  readonly log: RolloutLog;
  /** Plans for calls that bring none. */
  readonly plans: { readonly promote: Plan; readonly rollback: Plan };
  readonly server: KeyAndCertificate;
  readonly now: () => Date;
  readonly events: readonly { device: string; event: DeviceEvent }[];
  readonly host: string;
  readonly mqttPort: number;
}
