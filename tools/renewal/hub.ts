import { once } from 'node:events';
import { startHub } from '@adbreak/hub/hub.js';
import { configPath } from '@adbreak/hub/rollouts/fixtures.js';
import { parseJson } from '@adbreak/shared/contract/parse.js';
import { hubSettings } from './hub-settings.js';

/**
 * A whole hub in a process of its own, whose certificates live for seconds: no flag of the product makes
 * them so short.
 */
const given = Buffer.from(process.argv[2] ?? '');
const { folder, deviceMs, hubMs } = parseJson(hubSettings, given, 4096, 'the settings of this hub');
const stopped = Promise.race([once(process, 'SIGTERM'), once(process, 'disconnect')]);
const hub = await startHub({
  folder,
  host: '127.0.0.1',
  httpPort: 0,
  mqttPort: 0,
  names: [],
  planPath: configPath('demo'),
  rollbackPlanPath: configPath('rollback'),
  tick: '* * * * * *',
  log: (line) => console.error(line),
  certificates: { lifetimes: { device: deviceMs, server: hubMs }, check: '* * * * * *' },
});
process.send?.({ httpPort: hub.httpPort, mqttPort: hub.mqttPort, token: hub.firstToken });
await stopped;
await hub[Symbol.asyncDispose]();
if (process.connected) process.disconnect();
