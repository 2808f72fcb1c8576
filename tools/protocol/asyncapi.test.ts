import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { describe, test } from 'node:test';
import { COMMAND_TOPICS, parseCommandTopic } from '@adbreak/shared/contract/device-commands.js';
import { parseOperatorTopic } from '@adbreak/shared/contract/operators.js';
import { DEVICE_TOPICS, parseTopic } from '@adbreak/shared/contract/topics.js';
import { Ajv, type ValidateFunction } from 'ajv';
import formats from 'ajv-formats';
import { z } from 'zod';
import { asyncapi } from './asyncapi.js';
import { FOLDER } from './examples.js';
import { CHANNELS } from './messages.js';

const require = createRequire(import.meta.url);
const official = z.looseObject({ definitions: z.record(z.string(), z.unknown()) });
const read = z.looseObject({
  channels: z.record(z.string(), z.looseObject({ address: z.string() })),
  operations: z.record(z.string(), z.looseObject({ action: z.string() })),
  components: z.looseObject({
    messages: z.record(
      z.string(),
      z.looseObject({ payload: z.looseObject({}), examples: z.array(z.object({ payload: z.unknown() })) }),
    ),
  }),
});
const document = () => read.parse(JSON.parse(asyncapi()));

/** Formats are those of JSON Schema; keywords of AsyncAPI's own are no errors. */
function validator(): Ajv {
  const ajv = new Ajv({ strict: false, allErrors: true });
  formats.default(ajv);
  return ajv;
}
/** The schema that the makers of AsyncAPI publish for its version 3.0.0. */
function validAsyncapi(): ValidateFunction {
  const path = require.resolve('@asyncapi/specs/schemas/3.0.0.json');
  const schema = official.parse(JSON.parse(readFileSync(path, 'utf8')));
  // Ajv knows the meta-schema, and takes none twice.
  delete schema.definitions['http://json-schema.org/draft-07/schema'];
  return validator().compile(schema);
}

function references(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, one]) =>
    key === '$ref' && typeof one === 'string' ? [one] : references(one),
  );
}
function behind(whole: unknown, reference: string): unknown {
  return reference
    .slice('#/'.length)
    .split('/')
    .reduce<unknown>((value, key) => new Map(Object.entries(value ?? {})).get(key), whole);
}

/** What a client does with a topic by the rules that the code has; null for one that it does not know. */
function actionOn(topic: string): 'send' | 'receive' | null {
  const [device, command, operator] = [
    parseTopic(topic),
    parseCommandTopic(topic),
    parseOperatorTopic(topic),
  ];
  if (device !== null) return DEVICE_TOPICS[device.kind] === 'device' ? 'send' : 'receive';
  if (command !== null) return COMMAND_TOPICS[command.kind] === 'device' ? 'send' : 'receive';
  if (operator !== null) return operator.kind === 'commands' ? 'send' : 'receive';
  return null;
}

describe('docs/protocol/asyncapi.json', () => {
  test('is what the schemas say: `make schemas` writes it', () =>
    assert.equal(readFileSync(new URL('asyncapi.json', FOLDER), 'utf8'), asyncapi()));
  test('is an AsyncAPI 3 document by the schema of its makers', () => {
    const validate = validAsyncapi();
    validate(document());
    assert.deepEqual(validate.errors ?? [], []);
  });
  for (const [what, change] of [
    [
      'an action that is none',
      { operations: { status: { action: 'shout', channel: { $ref: '#/channels/status' } } } },
    ],
    ['a channel with a field of its own invention', { channels: { status: { topic: 'status' } } }],
    [
      'a message whose payload is no schema',
      { components: { messages: { one: { payload: { type: 'picture' } } } } },
    ],
    ['another version', { asyncapi: '2.6.0' }],
  ] as const)
    test(`with ${what} would be none`, () =>
      assert.equal(validAsyncapi()({ ...document(), ...change }), false));
  test('has references that lead somewhere', () => {
    const whole = document();
    const all = references(whole);
    assert.ok(all.length > 3 * Object.keys(CHANNELS).length);
    for (const reference of all) assert.notEqual(behind(whole, reference), undefined, reference);
  });
  test('has the topics that the code knows, and who writes each', () => {
    const names = new Map(Object.entries({ device: 'pi-1', operator: 'ada', command: 'abcdefgh' }));
    const topics = Object.values(CHANNELS).map(({ address, action }) => ({
      topic: address.replace(/\{(\w+)\}/g, (_, level: string) => names.get(level) ?? 'r1'),
      action,
    }));
    for (const { topic, action } of topics) assert.equal(actionOn(topic), action, topic);
    const kinds = topics.flatMap(({ topic }) => parseTopic(topic)?.kind ?? []);
    assert.deepEqual(kinds.toSorted(), Object.keys(DEVICE_TOPICS).toSorted());
  });
  test('has every topic with its levels explained, and its operation', () => {
    const { channels, operations } = document();
    assert.deepEqual(Object.keys(channels), Object.keys(CHANNELS));
    assert.deepEqual(Object.keys(operations), Object.keys(CHANNELS));
    for (const { address, parameters } of Object.values(channels))
      assert.deepEqual(
        Object.keys(z.record(z.string(), z.unknown()).parse(parameters)),
        [...address.matchAll(/\{(\w+)\}/g)].map(([, level]) => level),
        address,
      );
  });
  test('has for each message a schema that takes its examples, and not just anything', () => {
    for (const [name, { payload, examples }] of Object.entries(document().components.messages)) {
      const fits = validator().compile(payload);
      assert.ok(examples.length > 0, name);
      for (const example of examples) {
        fits(example.payload);
        assert.deepEqual(fits.errors ?? [], [], name);
      }
      assert.equal(fits({}), false, name);
    }
  });
});
