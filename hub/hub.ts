import { lookup } from 'node:dns/promises';
import { Server as HttpsServer } from 'node:https';
import type { Server } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { DeviceEvent } from '@adbreak/shared/contract/messages.js';
import { AdbreakError, explain } from '@adbreak/shared/errors.js';
import { harmless, type Log } from '@adbreak/shared/log.js';
import { schedule, validate } from 'node-cron';
import { type Invitation, makeFirstToken } from './accounts/first.js';
import { openPeople } from './accounts/people.js';
import { finishRestore } from './backup/exchange.js';
import { Broker, listenError } from './broker/broker.js';
import { commanding } from './commanding.js';
import { Witnesses } from './commands/witnesses.js';
import { Evaluations } from './evaluations/evaluations.js';
import { Intake } from './fleet/ingest.js';
import { correctPresence, noteLink } from './fleet/presence.js';
import { Quotas } from './fleet/quotas.js';
import { Sender } from './fleet/sender.js';
import { Housekeeping } from './housekeeping.js';
import { buildHttp, type Http, type Route } from './http/app.js';
import { Authority, LIFETIMES, type Lifetimes } from './identity/authority.js';
import { DeviceCertificates } from './identity/device-certificates.js';
import { ServerCertificate } from './identity/server-certificate.js';
import { Registry } from './registry/registry.js';
import { Executor } from './rollouts/lifecycle/executor.js';
import { type Plans, readPlans } from './rollouts/lifecycle/plans.js';
import { RolloutLog } from './rollouts/log/log.js';
import { HubClock } from './store/hub-clock.js';
import { lockHub } from './store/lock.js';
import { openStore } from './store/open.js';
import { openSettings } from './store/settings.js';
import { markBegun, neverStarted, prepareStateFolder, refuseLost } from './store/state-folder.js';
import { openTrainings, type TrainingOptions } from './trainings.js';

export interface HubOptions {
  readonly folder: string;
  readonly host: string;
  readonly httpPort: number;
  readonly mqttPort: number;
  /** Plain HTTP on the loopback, beside HTTPS; none where it is not given. */
  readonly local?: LocalPort;
  /** Names and addresses under which devices reach the hub. */
  readonly names: readonly string[];
  /** YAML of the plan for promote calls that name none. */
  readonly planPath: string;
  /** The same for fleets that are too small for that one; none where a person has chosen it. */
  readonly smallPlanPath?: string;
  /** For rollback calls that name none, where the folder of plans has none of the name `rollback`. */
  readonly rollbackPlanPath: string;
  /** Folder of the plans that operators use by name; configs/rollouts where it is not given. */
  readonly plansPath?: string;
  /** How often the gate looks, a node-cron expression with seconds. */
  readonly tick: string;
  readonly log: Log;
  /** Hears why this hub can never write again, and must be ended: another one has written to its database. */
  readonly stop?: (why: AdbreakError) => void;
  readonly now?: () => Date;
  readonly certificates?: Partial<CertificateOptions>;
  readonly training?: TrainingOptions;
  /** Answers that say more than their contract are faults: for tests and development. */
  readonly strict?: boolean;
}
export interface LocalPort {
  readonly port: number;
  /**
   * Somebody has asked for this very port: where it is taken the hub does not start. Else it goes on without.
   */
  readonly asked: boolean;
}
interface CertificateOptions {
  /** How long after its end a device's certificate may still be renewed, milliseconds. */
  readonly grace: number;
  /** Shorter ones are for tests. */
  readonly lifetimes: Lifetimes;
  /** How often the hub looks at its own certificate, a node-cron expression. */
  readonly check: string;
}
export interface RunningHub extends AsyncDisposable {
  readonly httpPort: number;
  readonly mqttPort: number;
  /** Of plain HTTP on the loopback; null where there is none. */
  readonly localPort: number | null;
  readonly authority: string;
  /** The administrator's token, on the first start only. */
  readonly firstToken: string | null;
  /** What makes the first administrator's account, on the first start only. */
  readonly invitation: Invitation | null;
  /** What it answers over HTTPS. */
  readonly routes: readonly Route[];
}
const PLANS = fileURLToPath(new URL('../../configs/rollouts', import.meta.url));
const LOOPBACK = '127.0.0.1';
const EVENTS_KEPT = 200;
const DAY_MS = 24 * 3600 * 1000;
const CERTIFICATES: CertificateOptions = { grace: 30 * DAY_MS, lifetimes: LIFETIMES, check: '41 * * * *' };

/** What was opened, to be closed in reverse; each step is tried, whatever became of the one before. */
class Opened {
  readonly #closers: (() => unknown)[] = [];

  add(close: () => unknown): void {
    this.#closers.push(close);
  }

  async close(complain: (error: unknown) => void): Promise<void> {
    for (const close of this.#closers.splice(0).reverse()) {
      try {
        await close();
      } catch (error) {
        complain(error);
      }
    }
  }
}

/**
 * Starts the hub. What a person gave is looked at before anything is opened; a start that fails has closed what it opened
 * when its promise rejects.
 */
export async function startHub(options: HubOptions): Promise<RunningHub> {
  const plans = await checkOptions(options);
  const opened = new Opened();
  try {
    return await openHub(options, plans, opened);
  } catch (error) {
    await opened.close((closing) => options.log(`closing: ${explain(closing)}`, { error: closing }));
    throw error;
  }
}

async function checkOptions({
  tick,
  plansPath,
  planPath,
  smallPlanPath,
  rollbackPlanPath,
}: HubOptions): Promise<Plans> {
  if (!validate(tick))
    throw new AdbreakError(
      'input_invalid',
      `Cannot start the hub: --tick must be a cron expression: current value is ${JSON.stringify(tick)}`,
      {
        remedy: 'Give five or six fields, such as `*/30 * * * * *` for every 30 seconds.',
      },
    );
  return readPlans(plansPath ?? PLANS, planPath, rollbackPlanPath, smallPlanPath).catch((cause: unknown) => {
    if (cause instanceof AdbreakError) throw cause;
    throw new AdbreakError('input_invalid', `Cannot read the rollout plan ${planPath}`, {
      cause,
      remedy: 'Give --plan a file that this user may read.',
    });
  });
}

/** Wires the hub: state, authority, registry, broker, gate, HTTP. */
async function openHub(options: HubOptions, plans: Plans, opened: Opened): Promise<RunningHub> {
  const now = options.now ?? (() => new Date());
  const { folder } = options;
  // Every line of the hub passes here: devices choose their client ids, reasons and topics.
  const log: Log = (line, about) => options.log(harmless(line), about);
  const complain = (what: string) => (error: unknown) => log(`${what}: ${explain(error)}`, { error });
  await prepareStateFolder(folder, log);
  const lock = await lockHub(folder);
  opened.add(() => lock[Symbol.asyncDispose]());
  if (await finishRestore(folder)) log('a restore that was interrupted has been brought to its end');
  const settings = await openSettings(folder);
  const fresh = settings.store === undefined && (await neverStarted(folder));
  const { store: url } = settings;
  const store = await openStore(folder, now, { store: url, say: log, stop: options.stop });
  opened.add(() => store.close());
  // The first token is the last thing that a first start writes.
  const begin =
    fresh ||
    (store.state.tokens.length === 0 &&
      (await refuseLost(folder, url && 'the database of `store` in settings.json')));
  const { grace, lifetimes, check } = {
    ...CERTIFICATES,
    grace: settings.certificateGraceDays * DAY_MS,
    ...options.certificates,
  };
  const authority = await Authority.open(join(folder, 'identity'), now(), { lifetimes, begin });
  const clock = new HubClock(store, now, log);
  await clock.look().catch(complain('clock'));
  opened.add(() => clock.keep());
  const { judged, settled } = clock;
  const certificates = new DeviceCertificates({ store, authority, grace, now, log });
  const people = await openPeople({ folder, store, now: judged, settled, report: log });
  const registry = await Registry.open(join(folder, 'registry'), store, now, begin);
  const housekeeping = new Housekeeping({ store, settings, authority, registry, clock, people, now, log });
  await housekeeping.begin();
  const trainings = openTrainings({ folder, settings, store, registry, now, log }, options.training);
  opened.add(() => trainings.close());
  const rolloutLog = new RolloutLog(store);
  const server = await ServerCertificate.issue(authority, options.names, now());
  const events: { device: string; event: DeviceEvent }[] = [];
  const onEvent = (device: string, event: DeviceEvent) => {
    events.push({ device, event });
    events.splice(0, events.length - EVENTS_KEPT);
    log(`${device}: ${event.kind}${'reason' in event ? ` (${event.reason})` : ''}`, { device });
  };
  const sender = new Sender({
    store,
    now,
    log,
    sign: (payload) => registry.signDesired(payload),
    publish: (device, word) => broker.publish(device, 'desired', word),
  });
  const witnesses = new Witnesses();
  const executor: Executor = new Executor({
    store: witnesses.over(store),
    now,
    publishDesired: (desired, device) => sender.send(desired, device),
    onDecision: (rollout) => {
      if (rollout.last !== null)
        log(
          `rollout ${rollout.id}: ${rollout.last.verdict} → ${rollout.last.action}: ${rollout.last.reason}`,
          { rollout: rollout.id, model: rollout.model },
        );
      void commands.show().catch(complain('rollouts over MQTT'));
    },
    startRound: (rollout) => evaluations.startFor(rollout),
    complain: log,
  });
  const evaluations = new Evaluations({
    store,
    now,
    log,
    assign: (model, only) => executor.assign(model, only),
    onClosed: (rollout, outcome) => executor.roundClosed(rollout, outcome),
  });
  const intake = new Intake({
    store,
    executor,
    evaluations,
    now,
    log,
    onEvent,
    present: (device) => broker.present(device),
    barred: (device) => certificates.isBarred(device),
    tell: async (device) => {
      const desired = store.state.devices[device]?.desired ?? null;
      if (desired !== null) await sender.send(desired, device);
    },
  });
  // After what brings it work, before the state and the lock.
  opened.add(() => executor.close());
  // Nobody is connected yet, whatever a hub that was killed has left in the state.
  await correctPresence(store, () => false, null);
  const quotas = new Quotas();
  const commands = commanding({
    store,
    authority,
    executor,
    plans,
    modelByTag: settings.modelByTag,
    witnesses,
    broker: () => broker,
    now,
    settled,
    log,
  });
  const broker: Broker = await Broker.start({
    server: server.current,
    authority: authority.certificate,
    host: options.host,
    port: options.mqttPort,
    log,
    commands: commands.policy,
    now: settled,
    policy: {
      admit: (id, fingerprint) => certificates.admit(id, fingerprint),
      take: (device, kind, payload) => sender.after(device, () => intake.take(device, kind, payload)),
      spend: (device, bytes) => quotas.spend(device, bytes, performance.now()),
      barred: (device) => quotas.barred(device, performance.now()),
      connection: (id, online) => {
        if (online) intake.connected(id);
        void store
          .change((state) => noteLink(state.devices[id], online, now()))
          .catch((error: unknown) => log(`state: ${explain(error)}`, { device: id, error }));
      },
    },
  });
  opened.add(() => broker.close());
  await executor.recover();
  await trainings.begin().catch(complain('trainings'));
  await commands.show().catch(complain('rollouts over MQTT'));
  const doors: Http = await buildHttp({
    store,
    authority,
    certificates,
    operators: commands.operators,
    deviceCommands: commands.deviceCommands,
    people,
    registry,
    broker,
    executor,
    evaluations,
    trainings,
    quotas,
    modelByTag: settings.modelByTag,
    log: rolloutLog,
    plans,
    server: server.current,
    now,
    judged,
    settled,
    events,
    host: options.host,
    mqttPort: broker.port,
    httpsPort: () => portOf(doors.app.server),
    strict: options.strict ?? false,
    report: log,
  });
  const { app: http, routes, plain, settleRefusals } = doors;
  opened.add(() => settleRefusals(true));
  opened.add(() => http.close());
  let shown = server.current;
  const renewOwn = async () => {
    await server.renew(now());
    const next = server.current;
    if (next === shown) return;
    broker.useCertificate(next);
    if (http.server instanceof HttpsServer)
      http.server.setSecureContext({ key: next.key, cert: next.certificate, ca: authority.certificate });
    // Only now: where a door did not take it, both are given it again at the next look.
    shown = next;
    log('the hub has a new certificate of its own; sessions go on');
  };
  // For the name `localhost` Fastify opens a second server, out of reach of renewOwn: one address, as MQTT has.
  const host = options.host === 'localhost' ? (await lookup('localhost')).address : options.host;
  await http.listen({ host, port: options.httpPort }).catch((cause: unknown) => {
    throw listenError(cause, `HTTPS on ${options.host}:${options.httpPort}`);
  });
  const localPort = await openLocal(plain, options.local, opened, log);
  const look = () =>
    correctPresence(store, (device) => broker.present(device), now())
      .catch(complain('presence'))
      .then(() => evaluations.tick())
      .catch(complain('evaluations'))
      .then(() => executor.tick())
      .catch(complain('gate'))
      .then(() => commands.look())
      .catch(complain('commands'));
  let looks: Promise<unknown> = Promise.resolve();
  opened.add(() => looks);
  opened.add(() => registry.idle());
  const jobs = [
    schedule(options.tick, () => {
      looks = Promise.all([looks, look()]);
    }),
    ...housekeeping.schedule({ sender, settleRefusals }),
    schedule(check, () => renewOwn().catch(complain('certificate'))),
  ];
  opened.add(() => Promise.all(jobs.map((job) => job.stop())));
  const firstToken = await makeFirstToken(store, now());
  await markBegun(folder, now());
  return {
    httpPort: portOf(http.server) ?? options.httpPort,
    mqttPort: broker.port,
    localPort,
    authority: authority.certificate,
    firstToken,
    invitation: firstToken === null ? null : await people.first.invite(),
    routes,
    [Symbol.asyncDispose]: () => opened.close(complain('closing')),
  };
}

/**
 * The loopback's port for who is on this machine anyway; a hub that nobody asked for it does without where it
 * is taken.
 */
async function openLocal(
  build: Http['plain'],
  local: LocalPort | undefined,
  opened: Opened,
  log: Log,
): Promise<number | null> {
  if (local === undefined) return null;
  const http = await build();
  opened.add(() => http.close());
  const where = `plain HTTP on ${LOOPBACK}:${local.port}`;
  try {
    await http.listen({ host: LOOPBACK, port: local.port });
  } catch (cause) {
    if (local.asked) throw listenError(cause, where);
    log(`there is no ${where}: ${explain(cause)}; \`--local-port\` chooses another port`);
    return null;
  }
  return portOf(http.server) ?? local.port;
}

/** Null where it does not listen. */
function portOf(server: Server): number | null {
  const address = server.address();
  return typeof address === 'object' ? (address?.port ?? null) : null;
}
