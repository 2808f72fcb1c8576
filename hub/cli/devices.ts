import { newDevice } from '@adbreak/shared/contract/http/common.js';
import type { AskedBy } from '@adbreak/shared/contract/http/contract.js';
import { devices as cards } from '@adbreak/shared/contract/http/devices.js';
import {
  CHANGES_A_CALL,
  type DeviceFilter,
  type DeviceLine,
  type DeviceOutcome,
  type DeviceSet,
  fleet,
} from '@adbreak/shared/contract/http/fleet.js';
import { check } from '@adbreak/shared/contract/parse.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { readLimited } from '@adbreak/shared/storage/atomic.js';
import { type Command, Option } from 'commander';
import { outcomeText } from './device-changes.js';
import { deviceCommandCommands } from './device-commands.js';
import { CSV_LIMIT, readDeviceCsv } from './device-csv.js';
import { ALL_COLUMNS, type Column, columnsOf, tableCsv, tableText, USUAL_COLUMNS } from './device-table.js';
import { deviceText } from './device-text.js';
import { askHub, print, type Remote, say, type remote as withHub } from './remote.js';
import { tagChanges } from './tags.js';
import { addConditions, filterOf, queryOf } from './where.js';

interface SetFlags extends Remote {
  where: string[];
  model?: string;
  tags?: string[];
  site?: string;
  channel?: string;
  dryRun: boolean;
  json: boolean;
}
type Change = { readonly device?: string; readonly where?: DeviceFilter; readonly set: DeviceSet };

/** `adbreak devices …`: the fleet, its cards, and what each device shall be. */
export function deviceCommands(program: Command, remote: typeof withHub): void {
  const own = program.command('devices').description('devices and their identities');
  const where = () =>
    new Option('--where <conditions>', 'site=home,tag=ring:early,…: devices that fit all of them')
      .argParser(addConditions)
      .default([], 'all');

  remote(own.command('list'))
    .description('a line a device')
    .addOption(where())
    .option('--columns <names>', `of ${ALL_COLUMNS.join(', ')}; \`all\` for all of them`)
    .option('--csv', 'as a table for spreadsheets and `adbreak devices import`', false)
    .option('--json', 'everything, as JSON', false)
    .action(list);
  remote(own.command('show <id>'))
    .description('where it is, what it runs, and what is wrong with it')
    .option('--json', 'as JSON', false)
    .action(async (id: string, flags: Remote & { json: boolean }) => {
      const device = await askHub(flags, fleet.show, { params: { id } });
      if (flags.json) print(device);
      else say(deviceText(device));
    });
  remote(own.command('set [id]'))
    .description('moves a device to another model, changes its tags, its site or its channel')
    .addOption(where())
    .option('--model <name>', 'the model whose production it shall run')
    .option('--tags <tags...>', 'key=value adds or changes a tag, key= takes it away')
    .option('--site <name>', 'in place of what its reports say; an empty one: as they say')
    .option('--channel <name>', 'the same of the channel that it watches')
    .option('--dry-run', 'say what would change, device by device, and change nothing', false)
    .option('--json', 'the whole answer, as JSON', false)
    .action(setDevices);
  remote(own.command('import <file>'))
    .description('sets model, tags, site and channel as a CSV says them; see `adbreak devices list --csv`')
    .option('--dry-run', 'say what would change, device by device, and change nothing', false)
    .option('--json', 'the whole answer, as JSON', false)
    .action(importDevices);
  cardCommands(own, remote);
  deviceCommandCommands(own, remote);
}

function cardCommands(own: Command, remote: typeof withHub): void {
  remote(own.command('claim'))
    .description('make claim tokens for cards; each is shown once')
    .option('--device <ids...>', 'for this device alone; for several, a token each')
    .option('--hours <n>', 'life', Number, 72)
    .option('--count <n>', 'how many, for whatever devices', Number, 1)
    .option('--model <name>', 'the model that its device shall run')
    .option('--tags <tags...>', 'key=value: tags that its device shall have')
    .action(claim);
  remote(own.command('tag <id> <tags...>'))
    .description(
      'key=value adds or changes a tag, key= takes it away, the others stay; stages of a plan may reach a device by its tags',
    )
    .action(async (id: string, tags: string[], flags: Remote) =>
      print(await askHub(flags, cards.changeTags, { params: { id }, body: { tags: tagChanges(tags) } })),
    );
  remote(own.command('revoke <id>'))
    .description('ends its identity and its session, and takes its evidence out of the rollouts that run')
    .action(async (id: string, flags: Remote) =>
      print(await askHub(flags, cards.revoke, { params: { id } })),
    );
  remote(own.command('exclude <id>'))
    .description(
      'takes its evidence out of the rollouts that run, what it gave before too; it stays on production',
    )
    .requiredOption('--reason <why>', 'for the rollout’s history, its page and the audit log')
    .option('--rollout <id>', 'out of this one alone')
    .option('--json', 'as JSON', false)
    .action(exclude);
}

interface ExcludeFlags extends Remote {
  reason: string;
  rollout?: string;
  json: boolean;
}
async function exclude(id: string, { reason, rollout, ...flags }: ExcludeFlags): Promise<void> {
  const body = { reason, ...(rollout !== undefined && { rollout }) };
  const found = await askHub(flags, cards.exclude, { params: { id }, body });
  if (flags.json) return print(found);
  for (const one of found.excluded)
    say(`${id} is out of ${one}, and back on production there: \`adbreak rollouts explain ${one}\``);
  for (const one of found.already) say(`${id} was out of ${one} already: nothing has changed`);
}

interface ClaimFlags extends Remote {
  device?: string[];
  hours: number;
  count: number;
  model?: string;
  tags?: string[];
}
async function claim(flags: ClaimFlags): Promise<void> {
  const { device: named = [], hours, count, model } = flags;
  const tags = Object.entries(tagChanges(flags.tags ?? [])).flatMap(([key, value]): [string, string][] =>
    value === null ? [] : [[key, value]],
  );
  const common = {
    hours,
    count,
    ...(model !== undefined && { model }),
    ...(tags.length > 0 && { tags: Object.fromEntries(tags) }),
  };
  if (named.length === 0) return print(await askHub(flags, cards.claim, { body: common }));
  if (count !== 1)
    throw new AdbreakError('input_invalid', 'Cannot make claims: --count is for devices without a name', {
      remedy: 'Each --device gets one token of its own: leave --count out.',
    });
  const devices = named.map((name) => check(newDevice, name, `the device ${JSON.stringify(name)}`));
  if (devices.length > 1) return claimEach(flags, devices, common);
  const [device = null] = devices;
  print(await askHub(flags, cards.claim, { body: { ...common, device } }));
}

/** A token is shown once: those that were made are, also where one after them is refused. */
async function claimEach(
  flags: Remote,
  devices: readonly string[],
  common: Omit<AskedBy<typeof cards.claim>['body'], 'device'>,
): Promise<void> {
  const made: object[] = [];
  try {
    for (const device of devices)
      made.push({ device, ...(await askHub(flags, cards.claim, { body: { ...common, device } })) });
  } finally {
    print(made);
  }
}

interface ListFlags extends Remote {
  where: string[];
  columns?: string;
  csv: boolean;
  json: boolean;
}
async function list(flags: ListFlags): Promise<void> {
  const found = await allDevices(flags, flags.where);
  if (flags.json) return print(found);
  const columns = shownColumns(flags);
  if (flags.csv) process.stdout.write(tableCsv(found, columns));
  else if (found.length === 0) say(noneText(flags.where));
  else say(tableText(found, columns));
}

function shownColumns({ columns, csv }: ListFlags): readonly Column[] {
  if (columns === 'all') return ALL_COLUMNS;
  if (columns !== undefined) return columnsOf(columns);
  // A table that goes into a file and comes back has everything.
  return csv ? ALL_COLUMNS : USUAL_COLUMNS;
}

function noneText(where: readonly string[]): string {
  return where.length === 0
    ? 'no devices yet: `adbreak devices claim` makes a token for a card'
    : `no device has ${where.join(', ')}`;
}

async function allDevices(flags: Remote, where: readonly string[]): Promise<DeviceLine[]> {
  const found: DeviceLine[] = [];
  for (let after: string | undefined; ; ) {
    const query = { ...queryOf(where), ...(after !== undefined && { after }) };
    const page = await askHub(flags, fleet.list, { query });
    found.push(...page.devices);
    if (page.next === null) return found;
    after = page.next;
  }
}

async function setDevices(id: string | undefined, flags: SetFlags): Promise<void> {
  if ((id === undefined) === (flags.where.length === 0))
    throw new AdbreakError('input_invalid', 'Cannot change devices: give either a name or --where', {
      remedy: '`adbreak devices set pi-3 …`, or `adbreak devices set --where site=home …`.',
    });
  const { model, site, channel } = flags;
  const set = {
    ...(model !== undefined && { model }),
    ...(flags.tags !== undefined && { tags: tagChanges(flags.tags) }),
    ...(site !== undefined && { site: site === '' ? null : site }),
    ...(channel !== undefined && { channel: channel === '' ? null : channel }),
  };
  if (Object.keys(set).length === 0)
    throw new AdbreakError('input_invalid', 'Cannot change devices: nothing is said of what they shall be', {
      remedy: 'Give --model, --tags, --site or --channel.',
    });
  if (id !== undefined) {
    const body = { ...set, dry_run: flags.dryRun };
    return tell(await askHub(flags, fleet.change, { params: { id }, body }), flags);
  }
  const changes = [{ where: filterOf(flags.where), set }];
  return tell(await askHub(flags, fleet.changes, { body: { changes, dry_run: flags.dryRun } }), flags);
}

async function importDevices(
  path: string,
  flags: Remote & { dryRun: boolean; json: boolean },
): Promise<void> {
  const bytes = await readLimited(path, CSV_LIMIT);
  if (bytes === undefined)
    throw new AdbreakError('not_found', `Cannot read the table ${path}: it does not exist`);
  const rows: Change[] = readDeviceCsv(new TextDecoder().decode(bytes), path);
  const parts = partsOf(rows);
  const first = await askParts(flags, parts, true);
  const stays = first.refused.length > 0;
  if (flags.dryRun || stays) {
    tell(first, flags);
    if (stays) process.exitCode = 1;
    return;
  }
  // All of it was looked at; where a device has changed since, the part that it stands in is refused whole.
  tell(await askParts(flags, parts, false), flags);
}

/** A body has 64 KiB. */
const PART_BYTES = 48 * 1024;
function partsOf(rows: readonly Change[]): Change[][] {
  const parts: Change[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const row of rows) {
    const size = Buffer.byteLength(JSON.stringify(row)) + 1;
    const last = parts.at(-1);
    if (last === undefined || bytes + size > PART_BYTES || last.length >= CHANGES_A_CALL) {
      parts.push([row]);
      bytes = size;
    } else {
      last.push(row);
      bytes += size;
    }
  }
  return parts;
}

async function askParts(flags: Remote, parts: readonly Change[][], dry_run: boolean): Promise<DeviceOutcome> {
  const all: DeviceOutcome = { dry_run, changed: [], unchanged: [], refused: [] };
  for (const changes of parts) {
    const { changed, unchanged, refused } = await askHub(flags, fleet.changes, {
      body: { changes, dry_run },
    });
    all.changed.push(...changed);
    all.unchanged.push(...unchanged);
    all.refused.push(...refused);
  }
  return all;
}

function tell(outcome: DeviceOutcome, { json }: { readonly json: boolean }): void {
  if (json) print(outcome);
  else say(outcomeText(outcome));
}
