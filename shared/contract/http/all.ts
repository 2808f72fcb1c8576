import { accounts, sessions } from './accounts.js';
import { agents } from './agents.js';
import { audit } from './audit.js';
import type { Contract } from './contract.js';
import { deviceCommands } from './device-commands.js';
import { devices } from './devices.js';
import { evaluations } from './evaluations.js';
import { exceptions } from './exceptions.js';
import { fleet } from './fleet.js';
import { hub } from './hub.js';
import { models } from './models.js';
import { monitoring } from './monitoring.js';
import { operators } from './operators.js';
import { rollouts } from './rollouts.js';
import { tokens } from './tokens.js';
import { training } from './training.js';

/** Every route that a hub has, by group and name. */
const GROUPS: Readonly<Record<string, Readonly<Record<string, Contract>>>> = {
  models,
  rollouts,
  exceptions,
  evaluations,
  monitoring,
  training,
  fleet,
  devices: { ...devices, ...deviceCommands },
  tokens,
  operators,
  audit,
  accounts,
  sessions,
  hub,
  agents,
};

export interface Operation {
  readonly group: string;
  /** Of one operation alone: `models.promote`. */
  readonly name: string;
  readonly contract: Contract;
}

export const OPERATIONS: readonly Operation[] = Object.entries(GROUPS).flatMap(([group, contracts]) =>
  Object.entries(contracts).map(([name, contract]) => ({ group, name: `${group}.${name}`, contract })),
);
