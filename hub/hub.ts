import { join } from 'node:path';
import type { DeviceEvent } from '@adbreak/shared/contract/messages.js';
import { AdbreakError, explain } from '@adbreak/shared/errors.js';
import { schedule } from 'node-cron';
import { Broker, listenError } from './broker/broker.js';
import { Evaluations } from './evaluations/evaluations.js';
import { Intake } from './fleet/ingest.js';
import { buildHttp } from './http/app.js';
import { Authority } from './identity/authority.js';
import { newSecret } from './identity/secrets.js';
import { Registry } from './registry/registry.js';
import { Executor } from './rollouts/executor.js';
import { RolloutLog } from './rollouts/log.js';
import { readPlan } from './rollouts/plan.js';
import { lockHub } from './store/lock.js';
import { LowdbStore } from './store/store.js';

export interface HubOptions {
  readonly folder: string;
  readonly host: string;
  readonly httpPort: number;
  readonly mqttPort: number;
  /** Names and addresses under which devices reach the hub. */
  readonly names: readonly string[];
  /** YAML of the plans for promote and rollback calls that name none. */
  readonly planPath: string;
  readonly rollbackPlanPath: string;
  /** How often the gate looks, a node-cron expression with seconds. */
  readonly tick: string;
  readonly log: (line: string) => void;
  readonly now?: () => Date;
}
export interface RunningHub extends AsyncDisposable {
  readonly httpPort: number;
  readonly mqttPort: number;
  readonly authority: string;
  /** The administrator's token, on the first start only. */
  readonly firstToken: string | null;
}
const EVENTS_KEPT = 200;
/** Signed metadata is renewed long before its shortest life of 7 days. */
const RENEWAL = '17 3 * * *';

/** One hub a folder; the lock ends with the hub, and where it cannot start. */
export async function startHub(options: HubOptions): Promise<RunningHub> {
  const lock = await lockHub(options.folder);
  try {
    const hub = await wire(options);
    const close = async () => {
      await hub[Symbol.asyncDispose]();
      await lock[Symbol.asyncDispose]();
    };
    return { ...hub, [Symbol.asyncDispose]: close };
  } catch (error) {
    await lock[Symbol.asyncDispose]();
    throw error;
  }
}

/** Wires the hub: state, authority, registry, broker, gate, HTTP. */
async function wire(options: HubOptions): Promise<RunningHub> {
  const now = options.now ?? (() => new Date());
  const { folder, log } = options;
  const complain = (what: string) => (error: unknown) => log(`${what}: ${explain(error)}`);
  const store = await LowdbStore.open(folder, now, log);
  const authority = await Authority.open(join(folder, 'identity'), now());
  const registry = await Registry.open(join(folder, 'registry'), store, now);
  const plans = { promote: await readPlan(options.planPath), rollback: await readPlan(options.rollbackPlanPath) };
  const rolloutLog = new RolloutLog(join(folder, 'rollouts'), log);
  const server = await authority.issueServer(options.names, now());
  const events: { device: string; event: DeviceEvent }[] = [];
  const onEvent = (device: string, event: DeviceEvent) => {
    events.push({ device, event });
    events.splice(0, events.length - EVENTS_KEPT);
    log(`${device}: ${event.kind}${'reason' in event ? ` (${event.reason})` : ''}`);
  };
  const executor: Executor = new Executor({
    store,
    log: rolloutLog,
    now,
    publishDesired: (desired, device) => broker.publish(device, 'desired', JSON.stringify(desired)),
    onDecision: (rollout) => {
      if (rollout.last !== null) log(`rollout ${rollout.id}: ${rollout.last.verdict} → ${rollout.last.action}: ${rollout.last.reason}`);
    },
    startRound: (rollout) => evaluations.startFor(rollout),
    complain: log,
  });
  const evaluations = new Evaluations({
    store,
    now,
    log,
    assign: (model) => executor.assign(model),
    onClosed: (rollout, outcome) => executor.roundClosed(rollout, outcome),
  });
  const intake = new Intake({ store, executor, evaluations, now, log, onEvent });
  // What the logs know better than the state, before the first device speaks.
  await executor.catchUp();
  const broker: Broker = await Broker.start({
    server,
    authority: authority.certificate,
    host: options.host,
    port: options.mqttPort,
    log,
    policy: {
      admit: (id, fingerprint) => {
        const device = store.state.devices[id];
        if (device === undefined || device.fingerprint !== fingerprint)
          return new AdbreakError('unauthorized', `Cannot connect ${id}: its certificate is not the enrolled one`, {
            remedy: 'Enrol it again with a new claim token.',
          });
        return device.revoked ? new AdbreakError('identity_revoked', `Cannot connect ${id}: its identity was revoked`) : null;
      },
      take: (device, kind, payload) => intake.take(device, kind, payload),
      connection: (id, online) => {
        if (online) intake.connected(id);
        void store
          .change((state) => {
            const device = state.devices[id];
            if (device !== undefined) Object.assign(device, { online, lastSeen: now().toISOString() });
          })
          .catch((error: unknown) => log(`state: ${explain(error)}`));
      },
    },
  });
  await executor.recover();
  const http = await buildHttp({
    store,
    authority,
    registry,
    broker,
    executor,
    evaluations,
    log: rolloutLog,
    plans,
    server,
    now,
    events,
    host: options.host,
    mqttPort: broker.port,
  });
  await http.listen({ host: options.host, port: options.httpPort }).catch((cause: unknown) => {
    throw listenError(cause, `HTTPS on ${options.host}:${options.httpPort}`);
  });
  const jobs = [
    schedule(options.tick, () =>
      evaluations
        .tick()
        .catch(complain('evaluations'))
        .then(() => executor.tick())
        .catch(complain('gate'))
        // What a failed write left in memory only is written as soon as there is room.
        .then(() => store.durable())
        .catch(complain('state')),
    ),
    schedule(RENEWAL, () => registry.renew().catch(complain('registry'))),
  ];
  const address = http.server.address();
  const firstToken = await makeFirstToken(store, now());
  return {
    httpPort: typeof address === 'object' && address !== null ? address.port : options.httpPort,
    mqttPort: broker.port,
    authority: authority.certificate,
    firstToken,
    [Symbol.asyncDispose]: async () => {
      for (const job of jobs) await job.stop();
      await http.close();
      await broker.close();
      await store.close();
    },
  };
}

async function makeFirstToken(store: LowdbStore, now: Date): Promise<string | null> {
  if (store.state.tokens.length > 0) return null;
  const { secret, hash } = newSecret('token');
  await store.change((state) => void state.tokens.push({ id: 'first', hash, role: 'admin', created: now.toISOString() }), {
    who: 'hub',
    what: 'token.create',
    subject: 'first',
  });
  return secret;
}
