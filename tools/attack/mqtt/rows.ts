import type { Attack } from '../attack.js';
import { COMMANDING } from './commands.js';
import { FLOODS } from './floods.js';
import { IDENTITY } from './identity.js';
import { KEYS } from './keys.js';
import { LYING } from './lies.js';
import { OPERATORS } from './operators.js';
import { READING } from './reading.js';
import { WRITING } from './writing.js';

/** What devices and operators can try over MQTT, with or without a right to be there. */
export const MQTT: readonly Attack[] = [
  ...READING,
  ...WRITING,
  ...IDENTITY,
  ...OPERATORS,
  ...COMMANDING,
  ...FLOODS,
  ...LYING,
  ...KEYS,
];
