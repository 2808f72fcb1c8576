import { explain } from '@adbreak/shared/errors.js';
import { type Attack, attack } from './attack.js';
import { Ground } from './ground.js';
import { HTTP } from './http/rows.js';
import { METADATA } from './metadata/rows.js';
import { MQTT } from './mqtt/rows.js';

/**
 * `make test-attacks`: what an attacker tries on a real hub in a process of its own, a row each; refused with
 * the code of the row, and nothing changed. ONLY= takes the rows whose names hold a word, or one of several
 * (`a|b`). The last line is JSON; it fails where a row is broken. Each door of the hub has a room of rows.
 */
const ROOMS: readonly (readonly Attack[])[] = [HTTP, MQTT, METADATA];

const only = (process.env['ONLY'] ?? '').split('|');
const rows = ROOMS.flat().filter(({ name }) => only.some((word) => name.includes(word)));
const say = (line: string) => console.error(line);
try {
  const ground = await Ground.open();
  // However it ends: no hub outlives it.
  process.once('exit', () => void ground.hub.child.kill('SIGKILL'));
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
  const outcome = await attack(ground, rows, say);
  await ground.close();
  console.log(JSON.stringify(outcome));
  process.exitCode = outcome.broken.length === 0 && outcome.attacks > 0 ? 0 : 1;
} catch (error) {
  say(explain(error));
  process.exitCode = 1;
}
