import { fstatSync } from 'node:fs';
import { AdbreakError } from './errors.js';
import { type About, harmless, type Log, type LogFormat } from './log.js';

/** `journal`: for systemd, which stamps the time itself and reads the priority in front of a line (sd-daemon(3)). */
type Shape = 'text' | 'journal' | 'json';
const PRIORITY = { info: 6, warn: 4 } as const;

interface LogOptions {
  readonly shape: Shape;
  readonly write: (line: string) => void;
  readonly now?: () => Date;
}

/** The log of a program, on its standard output. A reader that went away (EPIPE) is no reason to end: console.log ignores it. */
export function programLog(format: LogFormat): Promise<Log> {
  return makeLog({ shape: programShape(format), write: console.log });
}
export function programShape(format: LogFormat): Shape {
  return shapeOf(format, process.stdout.isTTY, inJournal());
}

/** `auto`: text for a person at a terminal and for the journal, JSON for whatever else reads it: a container's log, a file. */
export function shapeOf(format: LogFormat, terminal: boolean, journal: boolean): Shape {
  if (format !== 'auto') return format;
  if (terminal) return 'text';
  return journal ? 'journal' : 'json';
}

/** Whether standard output is systemd's journal: it names device and inode of the stream (systemd.exec(5), JOURNAL_STREAM). */
function inJournal(): boolean {
  const stream = process.env['JOURNAL_STREAM'];
  if (stream === undefined) return false;
  const { dev, ino } = fstatSync(1);
  return stream === `${dev}:${ino}`;
}

export async function makeLog({ shape, write, now = () => new Date() }: LogOptions): Promise<Log> {
  if (shape === 'json') return await jsonLog(write, now);
  return (line, about = {}) => {
    const start = shape === 'text' ? `${now().toISOString()} ` : `<${PRIORITY[levelOf(about)]}>`;
    write(`${start}${harmless(line)}`);
  };
}

async function jsonLog(write: (line: string) => void, now: () => Date): Promise<Log> {
  // A Pi whose log goes to the journal has no use for it.
  const { pino } = await import('pino');
  const log = pino(
    {
      // Neither process id nor host: the journal, the container and the collector know them.
      base: null,
      timestamp: () => `,"time":"${now().toISOString()}"`,
      formatters: { level: (level) => ({ level }) },
    },
    { write: (line) => write(line.trimEnd()) },
  );
  return (line, about = {}) => log[levelOf(about)](fieldsOf(about), harmless(line));
}

const levelOf = ({ error }: About) => (error === undefined ? 'info' : 'warn');

function fieldsOf({ error, ...ids }: About): Record<string, string> {
  const code = error instanceof AdbreakError ? error.code : undefined;
  return Object.fromEntries(
    Object.entries({ ...ids, code }).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, harmless(value)]],
    ),
  );
}
