import { join, resolve } from 'node:path';
import { exists, readLimited } from '@adbreak/shared/storage/atomic.js';
import { refuseUnfinished } from '../backup/exchange.js';
import { Authority } from '../identity/authority.js';
import { Registry } from '../registry/registry.js';
import { holderOf, LOCK_FILE } from '../store/lock.js';
import { DATABASE_FILE, load, openBeside } from '../store/open.js';
import { readSettings } from '../store/settings.js';
import type { Database } from '../store/sql/database.js';
import type { SqlStore } from '../store/sql-store.js';
import type { HubState } from '../store/state.js';
import { prepareStateFolder, wasStarted } from '../store/state-folder.js';
import { type Finding, ofError, ok, warning, wrong } from './finding.js';
import { checkClock, checkDisk } from './machine.js';
import { checkPorts } from './ports.js';
import { checkSchema, checkStore, timesInStore, timesOfFiles } from './store-check.js';
import { checkAccess, checkArtifacts, checkAuthority, checkDevices, checkSigned } from './trust.js';

export interface CheckOptions {
  readonly folder: string;
  readonly host: string;
  readonly httpPort: number;
  readonly mqttPort: number;
  readonly now: () => Date;
}

/** Looks a hub over from beside it, running or stopped, one finding after the other. Changes nothing. */
export async function* checkHub(options: CheckOptions): AsyncGenerator<Finding> {
  const { folder } = options;
  if (!(await exists(folder))) {
    yield wrong('folder', `there is no folder ${resolve(folder)}`, 'Give --state the folder of the hub.');
    return;
  }
  const settings = await one('settings', () => checkSettings(folder));
  const known = settings.every(({ level }) => level !== 'wrong');
  // Where the memory is, the settings say.
  const itself = known ? await one('folder', () => checkFolder(folder)) : [];
  yield* [...itself, ...settings];
  yield* await one('disk', async () => [await checkDisk(folder)]);
  let hub: Awaited<ReturnType<typeof holderOf>>;
  try {
    hub = await holderOf(folder);
  } catch (error) {
    // Whether a hub runs decides what all that follows should find.
    yield ofError('hub', error);
    return;
  }
  yield hub === null
    ? ok('hub', 'no hub runs on this folder')
    : ok('hub', `a hub runs on this folder${hub.pid === null ? '' : ` (process ${hub.pid})`}`);
  if (known && itself.every(({ level }) => level !== 'wrong')) yield* checkState(options);
  const authority = await readLimited(join(folder, 'identity/ca.pem'), 16_384).catch(() => undefined);
  const ports = [
    { name: 'HTTPS' as const, port: options.httpPort },
    { name: 'MQTT' as const, port: options.mqttPort },
  ];
  const pem = authority === undefined ? null : Buffer.from(authority).toString();
  yield* await one('ports', () => checkPorts({ host: options.host, ports, hub, authority: pem }));
}

/** A check of which a part throws has found that. */
async function one(check: string, look: () => Promise<Finding[]>): Promise<Finding[]> {
  return look().catch((error: unknown) => [ofError(check, error)]);
}

async function checkFolder(folder: string): Promise<Finding[]> {
  await refuseUnfinished(folder);
  const { store } = await readSettings(folder);
  if (!(await wasStarted(folder, store)))
    return [
      wrong(
        'folder',
        `no hub has been started on ${resolve(folder)}`,
        'Give --state the folder of the hub, or start one there.',
      ),
    ];
  const said: string[] = [];
  await prepareStateFolder(folder, (line) => said.push(line));
  return said.length === 0
    ? [ok('folder', `${resolve(folder)} can be written, and its keys are its owner's alone`)]
    : said.map((line) => warning('folder', line, `chmod 700 ${resolve(folder)}`));
}

async function checkSettings(folder: string): Promise<Finding[]> {
  const { certificateGraceDays, rawReportDays, store } = await readSettings(folder);
  const where = store === undefined ? 'SQLite in the folder' : 'PostgreSQL';
  return [
    ok(
      'settings',
      `a certificate renews up to ${certificateGraceDays} days after its end, reports stay ${rawReportDays} days, the memory is ${where}`,
    ),
  ];
}

/** What needs the database, and what needs what is in it. */
async function* checkState(options: CheckOptions): AsyncGenerator<Finding> {
  const { folder, now } = options;
  let database: Database;
  try {
    database = await openBeside(folder);
  } catch (error) {
    yield ofError('store', error);
    return;
  }
  try {
    const schema = await checkSchema(database);
    yield schema;
    if (schema.level !== 'ok') return;
    const said: string[] = [];
    // Not closed as a store: that would write down what it has added up.
    const store = await load(database, now, (line) => said.push(line));
    for (const line of said) yield wrong('logs', line, 'Its decisions stand; compare the log with a backup.');
    yield* await one('store', () => checkStore(database, store.state));
    yield* await one('clock', async () => [await clock(options, database, store.state)]);
    yield* checkTrust(options, store);
  } catch (error) {
    yield ofError('store', error);
  } finally {
    await database.close();
  }
}

async function clock(
  { folder, now }: CheckOptions,
  database: Database,
  { time }: Readonly<HubState>,
): Promise<Finding> {
  const files = [DATABASE_FILE, `${DATABASE_FILE}-wal`, LOCK_FILE, 'registry/metadata/timestamp.json'];
  const times = [
    ...(time === null
      ? []
      : [{ what: 'the time that the hub has lived through', at: Date.parse(time.floor) }]),
    ...(await timesInStore(database)),
    ...(await timesOfFiles(files.map((name) => join(folder, name)))),
  ];
  return checkClock(now(), times);
}

async function* checkTrust({ folder, now }: CheckOptions, store: SqlStore): AsyncGenerator<Finding> {
  yield* await one('authority', async () => {
    const authority = await Authority.open(join(folder, 'identity'), now(), { begin: false });
    return [checkAuthority(authority, now())];
  });
  const { certificateGraceDays } = await readSettings(folder);
  yield checkDevices(store.state, certificateGraceDays, now());
  yield* checkAccess(store.state, now());
  // Opening it makes what is missing of these, so it is looked for first.
  if (!(await exists(join(folder, 'registry/targets')))) {
    yield wrong(
      'metadata',
      `${join(folder, 'registry/targets')} is missing`,
      'Restore the state folder from a backup.',
    );
    return;
  }
  try {
    const registry = await Registry.open(join(folder, 'registry'), store, now, false);
    yield* await one('metadata', () => checkSigned(registry, now()));
    yield* await one('models', () => checkArtifacts(folder, registry, store.state));
  } catch (error) {
    yield ofError('metadata', error);
  }
}
