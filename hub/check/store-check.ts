import { stat } from 'node:fs/promises';
import { check } from '@adbreak/shared/contract/parse.js';
import { z } from 'zod';
import { count } from '../rollouts/words.js';
import { schemaOf } from '../store/backup-rows.js';
import { brokenBy, type Head, NO_LINKS } from '../store/chain.js';
import { readHeads } from '../store/open.js';
import type { Database } from '../store/sql/database.js';
import { SCHEMA } from '../store/sql/migrations.js';
import type { Row } from '../store/sql/queries.js';
import { AUDIT, linksOf, rolloutChain } from '../store/sql-store.js';
import type { HubState } from '../store/state.js';
import { type Finding, ofError, ok, warning, wrong } from './finding.js';

const TAMPERED =
  'Somebody has written to the database beside the hub: compare it with a backup, and restore that.';

/** Whether this program's hub would start on it; rows of another version are not looked at. */
export async function checkSchema(database: Database): Promise<Finding> {
  const schema = await schemaOf(async function* (statement) {
    yield* await database.rows(statement);
  });
  if (schema > SCHEMA)
    return wrong(
      'schema',
      `the schema of ${database.name} is number ${schema}, and this program knows ${SCHEMA}: a newer hub wrote it`,
      'Install the newer version again, or restore a backup of before the update.',
    );
  return schema === SCHEMA
    ? ok('schema', `number ${schema}, as this program writes it`)
    : warning(
        'schema',
        `the schema of ${database.name} is number ${schema}, and this program writes ${SCHEMA}`,
        'Back the hub up with the version that wrote it; the next start brings the schema up to date.',
      );
}

/** What can be read, and every chain against the newest link that the store knows of it. */
export async function checkStore(database: Database, state: Readonly<HubState>): Promise<Finding[]> {
  const devices = Object.keys(state.devices).length;
  return [
    ok(
      'store',
      `${database.name}: ${devices} devices, ${state.rollouts.length} rollouts; every row can be read`,
    ),
    ...(await checkChains(database, state)),
  ];
}

async function checkChains(database: Database, { rollouts }: Readonly<HubState>): Promise<Finding[]> {
  const heads = await readHeads(database);
  const found: Finding[] = [];
  const chains: readonly (readonly [chain: string, table: 'audit' | 'event', keys: Row])[] = [
    [AUDIT, 'audit', {}],
    ...rollouts.map(({ id }) => [rolloutChain(id), 'event', { rollout: id }] as const),
  ];
  let links = 0;
  for (const [chain, table, keys] of chains) {
    try {
      const broken = await firstBreak(database, table, keys, heads.get(chain) ?? NO_LINKS);
      if (broken.why !== null) found.push(wrong('logs', `the log of ${chain}: ${broken.why}`, TAMPERED));
      links += broken.links;
    } catch (error) {
      found.push(ofError('logs', error));
    }
  }
  return found.length > 0
    ? found
    : [
        ok(
          'logs',
          `${count(chains.length, 'log')} with ${count(links, 'entry', 'entries')}: none changed, deleted or inserted`,
        ),
      ];
}

/** What is written meanwhile comes after the newest link that was read before. */
async function firstBreak(
  database: Database,
  table: 'audit' | 'event',
  keys: Row,
  newest: Head,
): Promise<{ readonly why: string | null; readonly links: number }> {
  let head: Head = NO_LINKS;
  for await (const one of linksOf(database, table, keys, 0)) {
    const broken = brokenBy(head, one);
    if (broken !== null) return { why: `entry ${one.number} ${broken}`, links: head.number };
    head = one;
  }
  const cut = head.number < newest.number;
  return {
    why: cut ? `it ends at entry ${head.number}, and ${newest.number} were written` : null,
    links: head.number,
  };
}

const newestRow = z.array(z.object({ at: z.string().nullable() }));
const TIMES = [
  ['the newest entry of the audit log', 'select max(at) as at from audit'],
  ['the newest event of a rollout', 'select max(at) as at from event'],
  ['the newest report of a device', 'select max(received) as at from report'],
] as const;

/** What the store says was written when, milliseconds; by this machine's clock of then. */
export async function timesInStore(
  database: Database,
): Promise<{ readonly what: string; readonly at: number }[]> {
  const times: { readonly what: string; readonly at: number }[] = [];
  for (const [what, sql] of TIMES) {
    const rows = check(newestRow, await database.rows({ sql, parameters: [] }), what, 'state_corrupt');
    const at = Date.parse(rows[0]?.at ?? '');
    if (Number.isFinite(at)) times.push({ what, at });
  }
  return times;
}

export async function timesOfFiles(
  paths: readonly string[],
): Promise<{ readonly what: string; readonly at: number }[]> {
  const times: { readonly what: string; readonly at: number }[] = [];
  for (const path of paths) {
    const info = await stat(path).catch(() => null);
    if (info !== null) times.push({ what: path, at: info.mtimeMs });
  }
  return times;
}
