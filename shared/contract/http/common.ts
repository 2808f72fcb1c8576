import { z } from 'zod';
import { instantSchema } from '../instant.js';
import { MODEL_NAME, VERSION } from '../manifest.js';
import { deviceId } from '../messages.js';
import { ROUND_ID } from '../rounds.js';

/** What many routes have in common: names in paths, and the small parts of answers. */
export const instant = instantSchema();
export const count = z.int().nonnegative();
export const share = z.number().min(0).max(1);

export const version = z.string().regex(VERSION, 'must be MAJOR.MINOR.PATCH');
const ALIAS = '[a-z][a-z0-9-]{0,39}';
/** A number, the one in production, or what an alias stands for. */
export const anyVersion = z
  .string()
  .regex(
    new RegExp(`${VERSION.source}|^${ALIAS}$`),
    'must be MAJOR.MINOR.PATCH, `production`, or an alias of a version',
  );
export const modelName = z.string().regex(MODEL_NAME, 'must be a model name');

/** Names that something new may bear: the hub keeps devices and models in objects under their names. */
const free = (name: string) => !(name in Object.prototype);
const TAKEN = 'is a name that every object has: choose another one';
export const newDevice = deviceId.refine(free, TAKEN);
export const newModel = modelName.refine(free, TAKEN);
export const accountName = z
  .string()
  .regex(/^[a-z][a-z0-9.-]{0,39}$/, 'must be lower-case letters, digits, dots and dashes, a letter first');
export const newAccount = accountName.refine(free, TAKEN);
export const newAlias = z
  .string()
  .regex(new RegExp(`^${ALIAS}$`), 'must be lower-case letters, digits and dashes, a letter first')
  .refine((name) => name !== 'production', 'is the name of what a rollout has put into production')
  .refine(free, TAKEN);

export const modelParams = z.object({ name: modelName });
export const versionParams = z.object({ name: modelName, version: anyVersion });
export const deviceParams = z.object({ id: deviceId });
export const roundParams = z.object({ round: z.string().regex(ROUND_ID) });

export const ok = z.object({ ok: z.literal(true) });
/** A difference with the interval that it lies in. */
export const difference = z.object({ value: z.number(), low: z.number(), high: z.number() });

/** Why somebody does what goes past the usual way. */
export const reason = z.string().trim().min(1).max(500);
export const anyReason = reason.default('no reason given');
