import { count } from '../rollouts/words.js';
import { type Exception, type Exceptions, type Lift, type Lifted, type Move, quoted } from './exceptions.js';

/** Exceptions as people read them; pure. */
const MOST = 10;

export function exceptionsText(all: Exceptions): string {
  return [headline(all), ...all.exceptions.map(exceptionLines), ...liftedLines(all), ...nextLines(all)].join(
    '\n\n',
  );
}

export function liftText(model: string, lift: Lift): string {
  return lift.kind === 'lifted' ? liftedBeforeText(model, lift.lifted) : liftedNowText(model, lift);
}

function headline({ model, production, exceptions }: Exceptions): string {
  const now = production === null ? 'no version is in production' : `production is ${production.version}`;
  if (exceptions.length === 0) return `${model}: ${now}; there are no exceptions`;
  return `${model}: ${now}; ${count(exceptions.length, 'exception')}`;
}

function exceptionLines(one: Exception): string {
  return [
    `${one.name} stays on ${one.version.version}${standingText(one)}: ${reachText(one)}`,
    ...othersLines(one),
    ...sinceLines(one).map((line) => `  ${line}`),
  ].join('\n');
}

function standingText({ standing }: Exception): string {
  switch (standing) {
    case 'available':
      return '';
    case 'quarantined':
      return ', which is in quarantine';
    case 'gone':
      return ', which is no longer registered';
  }
}

function reachText({ devices }: Exception): string {
  return devices.length === 0
    ? 'it reaches no device now'
    : `${count(devices.length, 'device')}: ${listed(devices)}`;
}

function othersLines({ others }: Exception): string[] {
  return others.length === 0
    ? []
    : [
        `  names as well, but another exception decides: ${listed(others.map(({ device, by }) => `${device} (${by})`))}`,
      ];
}

function sinceLines({ findings }: Exception): string[] {
  if (findings.length === 0)
    return ['since when and why is not known: the hub has no rollout any more that left it behind'];
  return findings.map(
    ({ at, rollout, reason }, i) => `${i === 0 ? 'since' : 'again'} ${at}, by ${rollout}: ${reason}`,
  );
}

function liftedLines({ lifted, production }: Exceptions): string[] {
  if (lifted.length === 0) return [];
  const lines = lifted.map(
    ({ name, version, at, who, reason }) =>
      `  ${name} (was on ${version.version}) at ${at} by ${who}: ${reason}`,
  );
  return [[`lifted since ${production?.version ?? 'this version'} is in production:`, ...lines].join('\n')];
}

function nextLines({ model, exceptions, active }: Exceptions): string[] {
  if (exceptions.length === 0) return [];
  if (active !== null)
    return [
      `Rollout ${active.id} is ${active.status}: nothing can be lifted until it is over. \`adbreak rollouts explain ${active.id}\``,
    ];
  return [
    `To put one back on production: \`adbreak models exceptions ${model} --lift ${quoted(exceptions[0]?.name ?? '')} --reason WHY\``,
  ];
}

function liftedBeforeText(model: string, { name, version, at, who, reason }: Lifted): string {
  return `${name} of ${model} was lifted already, at ${at} by ${who}: ${reason}. It is no longer on ${version.version}; nothing changes.`;
}

function liftedNowText(model: string, lift: Extract<Lift, { kind: 'lift' }>): string {
  const { exception, production, stay } = lift;
  return [
    `${exception.name} of ${model} is lifted: it stayed on ${exception.version.version}, production is ${production.version}.`,
    ...movesLines(lift),
    ...(stay.length === 0
      ? []
      : [
          `On ${exception.version.version} by another exception: ${listed(stay.map(({ device, by }) => `${device} (${by})`))}.`,
        ]),
    pastTheGate(lift),
    wayBack(model, lift),
  ].join('\n');
}

function movesLines({ moves }: Extract<Lift, { kind: 'lift' }>): string[] {
  if (moves.length === 0) return ['No device changes its version now.'];
  const offline = moves.filter(({ online }) => !online).length;
  const later =
    offline === 0
      ? ''
      : ` (${offline} ${offline === 1 ? 'is offline and follows when it is' : 'are offline and follow when they are'} back)`;
  return [
    `${count(moves.length, 'device')} ${moves.length === 1 ? 'changes its' : 'change their'} version now${later}: ${listed(moves.map(moveText))}.`,
  ];
}

function moveText({ device, to, by }: Move): string {
  return by === null ? `${device} to ${to}` : `${device} to ${to} (${by})`;
}

/** A person's word, where the gate said otherwise. */
function pastTheGate({ exception, production }: Extract<Lift, { kind: 'lift' }>): string {
  const last = exception.findings.at(-1);
  const why =
    last === undefined
      ? 'why it was left behind is not known'
      : `it was left behind by ${last.rollout}: ${last.reason}`;
  return `This goes without the gate, by your word alone; ${why}. No rollout watches ${production.version} there.`;
}

function wayBack(model: string, { exception, production, back }: Extract<Lift, { kind: 'lift' }>): string {
  if (back === null)
    return `To go back, roll another version of ${model} out: no command puts ${exception.name} back alone.`;
  return `To go back, on all devices: \`adbreak rollouts rollback ${back} --reason WHY\` takes ${production.version} back.`;
}

function listed(names: readonly string[]): string {
  const more = names.length - MOST;
  return more > 0 ? `${names.slice(0, MOST).join(', ')} and ${more} more` : names.join(', ');
}
