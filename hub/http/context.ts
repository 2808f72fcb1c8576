import type { DeviceEvent } from '@adbreak/shared/contract/messages.js';
import type { Log } from '@adbreak/shared/log.js';
import type { People } from '../accounts/people.js';
import type { Broker } from '../broker/broker.js';
import type { DeviceCommands } from '../commands/device-commands.js';
import type { Evaluations } from '../evaluations/evaluations.js';
import type { ModelByTag } from '../fleet/model-rules.js';
import type { Quotas } from '../fleet/quotas.js';
import type { Authority, KeyAndCertificate } from '../identity/authority.js';
import type { DeviceCertificates } from '../identity/device-certificates.js';
import type { OperatorCertificates } from '../identity/operator-certificates.js';
import type { Registry } from '../registry/registry.js';
import type { Executor } from '../rollouts/lifecycle/executor.js';
import type { Plans } from '../rollouts/lifecycle/plans.js';
import type { RolloutLog } from '../rollouts/log/log.js';
import type { Store } from '../store/store.js';
import type { TrainingJobs } from '../training/training-jobs.js';

/** What the routes work on. */
export interface HttpContext {
  readonly store: Store;
  readonly authority: Authority;
  readonly certificates: DeviceCertificates;
  readonly operators: OperatorCertificates;
  readonly deviceCommands: DeviceCommands;
  readonly people: People;
  readonly registry: Registry;
  readonly broker: Broker;
  readonly executor: Executor;
  readonly evaluations: Evaluations;
  readonly trainings: TrainingJobs;
  readonly quotas: Pick<Quotas, 'standing' | 'fetch'>;
  /** The models that tags bring. */
  readonly modelByTag: ModelByTag;
  readonly log: RolloutLog;
  readonly plans: Plans;
  readonly server: KeyAndCertificate;
  readonly now: () => Date;
  /** By which tokens and claims end: never before what the hub has lived through. */
  readonly judged: () => Date;
  /** By which what has ended is forgotten: never beyond what is believed of the clock. */
  readonly settled: () => Date;
  readonly events: readonly { device: string; event: DeviceEvent }[];
  readonly host: string;
  readonly mqttPort: number;
  /** Of HTTPS, once it listens. */
  readonly httpsPort: () => number | null;
  /** Answers that say more than their contract are faults: for tests and development. */
  readonly strict: boolean;
  /** A line of the hub's own log. */
  readonly report: Log;
}
