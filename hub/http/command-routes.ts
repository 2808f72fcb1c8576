import { deviceCommands } from '@adbreak/shared/contract/http/device-commands.js';
import { operators } from '@adbreak/shared/contract/http/operators.js';
import type { CommandStanding } from '../commands/device-commands.js';
import { nameOf } from '../identity/secrets.js';
import type { HttpContext } from './context.js';
import { knownDevice } from './names.js';
import type { Register } from './route.js';

/** Who commands over MQTT, and what devices are asked to do once. */
export function commandRoutes(register: Register, context: HttpContext): void {
  const { store, deviceCommands: commands } = context;

  register(deviceCommands.command, ({ who, params: { id, command }, body }) =>
    commands.ask(id, command, body, nameOf(who)),
  );
  register(deviceCommands.showCommand, ({ params: { id, command } }) => commands.find(id, command));
  register(deviceCommands.listCommands, ({ params: { id } }) => {
    knownDevice(store.state, id, 'list the commands to');
    return { commands: commands.of(id).map(lineOf) };
  });
  operatorsOverMqtt(register, context);
}

function lineOf({ reply, ...known }: CommandStanding) {
  const outcome: 'waiting' | 'done' | 'refused' = reply?.outcome ?? 'waiting';
  return { ...known, outcome, code: reply?.outcome === 'refused' ? reply.error.code : null };
}

function operatorsOverMqtt(register: Register, { operators: own, authority }: HttpContext): void {
  register(operators.list, () => ({ operators: own.all }));
  register(operators.certificate, async ({ who, params: { name }, body }) => ({
    name,
    role: body.role,
    certificate: await own.issue(name, body, nameOf(who)),
    authority: authority.certificate,
  }));
  register(operators.setRole, ({ who, params: { name }, body: { role } }) =>
    own.setRole(name, role, nameOf(who)),
  );
  register(operators.revoke, ({ who, params: { name } }) => own.revoke(name, nameOf(who)));
}
