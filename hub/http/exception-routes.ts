import { exceptions } from '@adbreak/shared/contract/http/exceptions.js';
import { exceptionsOf } from '../fleet/exceptions.js';
import { exceptionsText, liftText } from '../fleet/exceptions-text.js';
import { liftException } from '../fleet/lift.js';
import { nameOf } from '../identity/secrets.js';
import { channelKey } from '../rollouts/slices.js';
import type { HttpContext } from './context.js';
import { knownModel } from './names.js';
import type { Register } from './route.js';

/** What stays on an earlier version though the fleet went on, and a person's word that ends it. */
export function exceptionRoutes(register: Register, context: HttpContext): void {
  const { store } = context;

  register(exceptions.list, ({ params: { name } }) => {
    knownModel(store.state, name, 'list the exceptions of');
    const all = exceptionsOf(store.state, name);
    return { ...all, text: exceptionsText(all) };
  });
  register(exceptions.lift, async ({ who, params: { name: model }, body: { name, reason } }) => {
    knownModel(store.state, model, 'lift an exception of');
    const lift = await liftException(context, { model, name: asKept(name), who: nameOf(who), reason });
    return { model, ...lift, text: liftText(model, lift) };
  });
}

const CHANNEL = 'channel=';
/** Channels are compared without case and blanks. */
function asKept(name: string): string {
  return name.startsWith(CHANNEL) ? `${CHANNEL}${channelKey(name.slice(CHANNEL.length))}` : name;
}
