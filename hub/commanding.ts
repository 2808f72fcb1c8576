import { AdbreakError } from '@adbreak/shared/errors.js';
import type { Log } from '@adbreak/shared/log.js';
import type { Broker, CommandPolicy } from './broker/broker.js';
import { RolloutBoard } from './commands/board.js';
import { DeviceCommands } from './commands/device-commands.js';
import { OperatorCommands } from './commands/operator-commands.js';
import type { Witnesses } from './commands/witnesses.js';
import type { ModelByTag } from './fleet/model-rules.js';
import { setDevices } from './fleet/set-devices.js';
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
  readonly modelByTag: ModelByTag;
  readonly witnesses: Witnesses;
  /** Asked when something is to be sent, so after the start. */
  readonly broker: () => Broker;
  readonly now: () => Date;
  /** By which what is over is forgotten. */
  readonly settled: () => Date;
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
  const { store, authority, broker, now, settled, log } = options;
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
    settled,
    log,
    send: (device, id, message) => broker().command(device, id, message),
  });
  const overseen = options.witnesses.over(store);
  const commands = new OperatorCommands({
    ...options,
    certificates: operators,
    setDevice: async (device, { model, tags }, who) => {
      const set = { ...(model !== null && { model }), tags };
      await setDevices({ ...options, store: overseen }, [{ device, set }], who);
    },
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
