import { deviceTags } from '@adbreak/shared/contract/http/devices.js';
import { check } from '@adbreak/shared/contract/parse.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import type { Log } from '@adbreak/shared/log.js';
import { ownValue } from '@adbreak/shared/own-value.js';
import type { Broker, CommandPolicy } from './broker/broker.js';
import { RolloutBoard } from './commands/board.js';
import type { Hands } from './commands/carry-out.js';
import { DeviceCommands } from './commands/device-commands.js';
import { OperatorCommands } from './commands/operator-commands.js';
import type { Witnesses } from './commands/witnesses.js';
import type { Authority } from './identity/authority.js';
import { OperatorCertificates } from './identity/operator-certificates.js';
import { whoIs } from './identity/subject.js';
import type { Executor } from './rollouts/lifecycle/executor.js';
import type { Plans } from './rollouts/lifecycle/plans.js';
import type { Store } from './store/store.js';

interface Options {
  readonly store: Store;
  readonly authority: Authority;
  readonly executor: Executor;
  readonly plans: Plans;
  readonly witnesses: Witnesses;
  /** Asked when something is to be sent, so after the start. */
  readonly broker: () => Broker;
  readonly now: () => Date;
  readonly log: Log;
}

/** All that is commanded over MQTT: by operators, and to devices. */
export interface Commanding {
  readonly operators: OperatorCertificates;
  readonly deviceCommands: DeviceCommands;
  readonly policy: CommandPolicy;
  /** Publishes how rollouts stand, where it is not out yet. */
  readonly show: () => Promise<void>;
  /** What waits is sent, and what is over is forgotten. */
  readonly look: () => Promise<void>;
}

export function commanding(options: Options): Commanding {
  const { store, authority, executor, broker, now, log } = options;
  const say = (topic: string, payload: string, retain: boolean) => broker().say({ topic, payload, retain });
  const operators = new OperatorCertificates({
    store,
    authority,
    now,
    disconnect: (name) => broker().disconnect(whoIs({ kind: 'operator', name })),
  });
  const deviceCommands = new DeviceCommands({
    store,
    now,
    log,
    send: (device, id, message) => broker().command(device, id, message),
  });
  const commands = new OperatorCommands({
    ...options,
    certificates: operators,
    setDevice: deviceSetter(store, executor),
    publish: (topic, payload) => say(topic, payload, false),
  });
  const board = new RolloutBoard({ store, now, publish: (topic, payload) => say(topic, payload, true) });
  return {
    operators,
    deviceCommands,
    policy: {
      admit: (name, print) => {
        const who = operators.personOf(name, print);
        return who instanceof AdbreakError ? who : null;
      },
      take: (by, id, payload) => commands.take(by, id, payload),
      answered: (device, id, payload) => deviceCommands.answered(device, id, payload),
      listening: (device, listens) => deviceCommands.listening(device, listens),
    },
    show: () => board.look(),
    look: async () => {
      await board.look();
      await deviceCommands.look();
      await commands.forget();
    },
  };
}

/** Tags as they are; which model a device runs cannot be changed yet. */
function deviceSetter(store: Store, executor: Executor): Hands['setDevice'] {
  return async (id, { model, tags }, who) => {
    const device = ownValue(store.state.devices, id);
    if (device === undefined)
      throw new AdbreakError('not_found', `Cannot set device ${id}: it is not enrolled`, {
        remedy: 'See `adbreak devices list`.',
      });
    if (model !== null && model !== device.model)
      throw new AdbreakError('not_implemented', `Cannot set device ${id}: its model stays ${device.model}`, {
        remedy: 'This hub changes tags over MQTT; enrol the device again for another model.',
      });
    const merged = Object.entries({ ...device.tags, ...tags });
    const kept = merged.filter((tag): tag is [string, string] => tag[1] !== null);
    await executor.tag(id, check(deviceTags, { tags: Object.fromEntries(kept) }, 'the tags').tags, who);
  };
}
