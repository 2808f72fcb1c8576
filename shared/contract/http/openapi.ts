import { z } from 'zod';
import { digest, manifest, modelRef } from '../manifest.js';
import { isRole } from './access.js';
import { SESSION_COOKIE } from './accounts.js';
import { OPERATIONS, type Operation } from './all.js';
import { auditEntry } from './audit.js';
import { instant, ok } from './common.js';
import { type Contract, isMedia } from './contract.js';
import { commandView } from './device-commands.js';
import { deviceEvent, deviceView } from './devices.js';
import { evaluationView } from './evaluations.js';
import { deviceChange, deviceLine } from './fleet.js';
import { modelView, registeredVersion } from './models.js';
import { summarySchema } from './monitoring.js';
import { operatorView } from './operators.js';
import { planView } from './plan.js';
import { PROBLEM_TYPE, problem } from './problem.js';
import { decision, rolloutView } from './rollout-view.js';
import { trainingJobView } from './training.js';

type Json = Readonly<Record<string, unknown>>;
export interface OpenApi {
  readonly openapi: string;
  readonly [member: string]: unknown;
}

/** Parts of answers that have a name of their own; what is left bears the name of its operation. */
const PARTS: Readonly<Record<string, z.ZodType>> = {
  Problem: problem,
  Ok: ok,
  Instant: instant,
  Digest: digest,
  ModelRef: modelRef,
  Manifest: manifest,
  Model: modelView,
  RegisteredVersion: registeredVersion,
  Plan: planView,
  Rollout: rolloutView,
  Decision: decision,
  Evaluation: evaluationView,
  Device: deviceView,
  DeviceEvent: deviceEvent,
  DeviceCommand: commandView,
  Operator: operatorView,
  DeviceLine: deviceLine,
  DeviceChange: deviceChange,
  AuditEntry: auditEntry,
  Summary: summarySchema,
  TrainingJob: trainingJobView,
};

const TAGS: Readonly<Record<string, string>> = {
  models: 'Versions of models: the registry, and what moves them.',
  rollouts: 'Rollouts: where they are, why, and what a person may order.',
  exceptions: 'What stays on an earlier version.',
  evaluations: 'Federated rounds over frames that stay on the devices.',
  monitoring: 'What versions and devices did, by day and hour.',
  training: 'Trainings on the hub’s own machine.',
  operators: 'Who commands over MQTT.',
  fleet: 'Devices: what each is and does, and what it shall be.',
  devices: 'Cards, tags, what a device does once, and the end of an identity.',
  tokens: 'Bearer tokens of people and scripts.',
  audit: 'Who has changed what, and who was refused.',
  accounts: 'People who sign in.',
  sessions: 'The pages on which they do, over HTTPS alone.',
  hub: 'What the hub says of itself.',
  agents: 'What devices ask for, by their client certificates.',
};

/** The hub's HTTP as OpenAPI 3.1, from the same contracts that its routes are registered from. */
export function openApi(operations: readonly Operation[] = OPERATIONS): OpenApi {
  const names = namesOf(operations);
  return {
    openapi: '3.1.1',
    info: {
      title: 'Adbreak',
      version: '1',
      summary: 'A hub that rolls models out to Raspberry Pis by evidence.',
      description:
        'Refusals are problem documents (RFC 9457). Each answer names its request in X-Request-Id.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/', description: 'The hub itself, over TLS; on its own machine also in the clear.' }],
    tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
    paths: pathsOf(operations, names),
    components: {
      schemas: schemasOf(names),
      responses: {
        Problem: {
          description: 'A refusal, or a fault of the hub.',
          headers: { 'X-Request-Id': { schema: { type: 'string' } } },
          content: { [PROBLEM_TYPE]: { schema: refTo('Problem') } },
        },
      },
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer', description: 'Of `adbreak tokens create`.' },
        session: {
          type: 'apiKey',
          in: 'cookie',
          name: SESSION_COOKIE,
          description: 'Of /sign-in, over HTTPS alone; what it changes must come from the hub’s own pages.',
        },
        certificate: { type: 'mutualTLS', description: 'A device’s certificate of this fleet.' },
      },
    },
  };
}

/** As it stands in docs/protocol. */
export function openApiText(): string {
  return `${JSON.stringify(openApi(), null, 2)}\n`;
}

type Names = ReadonlyMap<z.ZodType, string>;
function namesOf(operations: readonly Operation[]): Names {
  const names = new Map(Object.entries(PARTS).map(([name, schema]): [z.ZodType, string] => [schema, name]));
  for (const { name, contract } of operations)
    if (!isMedia(contract.answer) && !names.has(contract.answer))
      names.set(contract.answer, `${capitalized(name)}Answer`);
  return names;
}
/** `models.promote`: ModelsPromote. */
function capitalized(name: string): string {
  return name
    .split('.')
    .map((part) => `${part.charAt(0).toUpperCase()}${part.slice(1)}`)
    .join('');
}
const refTo = (name: string) => ({ $ref: `#/components/schemas/${name}` });

/** Two names for one schema would be one schema under neither: the registry knows each by its object. */
function schemasOf(names: Names): Json {
  const registry = z.registry<{ id: string }>();
  for (const [schema, id] of names) registry.add(schema, { id });
  const { schemas } = z.toJSONSchema(registry, {
    io: 'output',
    uri: (id) => refTo(id).$ref,
    override: ({ jsonSchema }) => plainer(jsonSchema),
  });
  return Object.fromEntries(
    Object.entries(schemas).map(([name, { $schema: _, $id: __, ...schema }]) => [name, schema]),
  );
}
/** That a whole number is one that JavaScript can hold goes without saying. */
function plainer(schema: { maximum?: number | undefined; minimum?: number | undefined }): void {
  if (schema.maximum === Number.MAX_SAFE_INTEGER) delete schema.maximum;
  if (schema.minimum === Number.MIN_SAFE_INTEGER) delete schema.minimum;
}
function inputOf(schema: z.ZodType) {
  const { $schema: _, ...plain } = z.toJSONSchema(schema, {
    io: 'input',
    override: ({ jsonSchema }) => plainer(jsonSchema),
  });
  return plain;
}

function pathsOf(operations: readonly Operation[], names: Names): Json {
  const paths = new Map<string, Record<string, Json>>();
  for (const one of operations) {
    const { path, method } = one.contract;
    paths.set(path, { ...paths.get(path), [method.toLowerCase()]: operationOf(one, names) });
  }
  return Object.fromEntries(paths);
}

function operationOf({ group, name, contract }: Operation, names: Names): Json {
  const { access, summary, more, params, query } = contract;
  const who = isRole(access) ? `Needs the role ${access}.` : undefined;
  const description = [more, who].filter((part) => part !== undefined).join(' ');
  const parameters = [
    ...(params === undefined ? [] : parametersOf(params, 'path')),
    ...(query === undefined ? [] : parametersOf(query, 'query')),
  ];
  const requestBody = requestOf(contract);
  return {
    operationId: name,
    tags: [group],
    summary,
    ...(description !== '' && { description }),
    security: securityOf(contract),
    ...(parameters.length > 0 && { parameters }),
    ...(requestBody !== null && { requestBody }),
    responses: responsesOf(contract, names),
  };
}

/** OpenAPI 3.1 lets a requirement name roles. */
function securityOf({ access }: Contract): readonly Json[] {
  switch (access) {
    case 'viewer':
    case 'operator':
    case 'admin':
      return [{ token: [access] }, { session: [access] }];
    case 'public':
      return [];
    case 'visitor':
      return [{}, { session: [] }];
    case 'device':
    case 'late-device':
      return [{ certificate: [] }];
  }
}

function parametersOf(schema: z.ZodType, where: 'path' | 'query'): Json[] {
  const { properties = {}, required = [] } = inputOf(schema);
  return Object.entries(properties).map(([name, one]) => ({
    name,
    in: where,
    required: where === 'path' || required.includes(name),
    schema: one,
  }));
}

function requestOf({ body, bodyAs, form }: Contract): Json | null {
  if (form !== undefined)
    return { required: true, content: { 'multipart/form-data': { schema: formOf(form) } } };
  if (body === undefined) return null;
  const schema = inputOf(body);
  // A body whose fields may all be left out may be left out itself; one of several forms has a field that says which.
  const required = schema.type !== 'object' || (schema.required ?? []).length > 0;
  return { required, content: { [bodyAs ?? 'application/json']: { schema } } };
}
function formOf(form: Readonly<Record<string, string>>): Json {
  const properties = Object.entries(form).map(([name, description]) => [
    name,
    { type: 'string', description },
  ]);
  return { type: 'object', properties: Object.fromEntries(properties), required: Object.keys(form) };
}

/** The page once more with what was wrong; what no page has asked for is refused like everything else. */
const REFUSED_ON_PAGE = {
  description: 'A refusal, or a fault of the hub.',
  content: { 'text/html': {}, [PROBLEM_TYPE]: { schema: refTo('Problem') } },
};

function responsesOf({ answer, status }: Contract, names: Names): Json {
  const done = status ?? 200;
  const refused = { default: { $ref: '#/components/responses/Problem' } };
  if (!isMedia(answer)) {
    const schema = refTo(names.get(answer) ?? '');
    return { [done]: { description: 'Done.', content: { 'application/json': { schema } } }, ...refused };
  }
  const { media, holds, ranges, forPeople } = answer;
  const content = { [media.replace(/;.*/, '')]: {} };
  return {
    [done]: { description: `${capitalized(holds)}.`, content },
    ...(ranges && {
      206: { description: 'The part that Range asked for.', content },
      304: { description: 'What If-None-Match names is what there is.' },
    }),
    ...(forPeople ? { 303: { description: 'The next page.' }, default: REFUSED_ON_PAGE } : refused),
  };
}
