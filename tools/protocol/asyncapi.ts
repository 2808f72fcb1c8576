import { examples } from './examples.js';
import { CHANNELS, type Channel, DOCUMENTED, type Documented, PARAMETERS, schemaOf } from './messages.js';

/** https://www.asyncapi.com/docs/reference/specification/v3.0.0; bindings of MQTT in their version 0.2.0. */
const ASYNCAPI = '3.0.0';
const BINDING = { bindingVersion: '0.2.0' };
const LICENSE = { name: 'Apache-2.0', url: 'https://www.apache.org/licenses/LICENSE-2.0' };

const channelRef = (channel: string) => ({ $ref: `#/channels/${channel}` });
const messageRef = (channel: string, message: string) => ({
  $ref: `#/channels/${channel}/messages/${message}`,
});

/** The MQTT side of the protocol for programs that read such documents: docs/protocol/asyncapi.json. */
export function asyncapi(): string {
  const document = {
    asyncapi: ASYNCAPI,
    info: {
      title: 'Adbreak over MQTT',
      version: 'v1',
      description:
        'What devices, operators and the hub say to each other. Actions are those of the client: a device, or the program of an operator. docs/protocol/README.md says what a schema cannot.',
      license: LICENSE,
    },
    defaultContentType: 'application/json',
    servers: { hub: server() },
    channels: Object.fromEntries(
      Object.entries(CHANNELS).map(([name, channel]) => [name, channelOf(channel)]),
    ),
    operations: Object.fromEntries(
      Object.entries(CHANNELS).map(([name, channel]) => [name, operationOf(name, channel)]),
    ),
    components: {
      messages: Object.fromEntries(messages().map((name) => [name, message(name)])),
      parameters: Object.fromEntries(
        Object.entries(PARAMETERS).map(([name, description]) => [name, { description }]),
      ),
      securitySchemes: {
        certificate: { type: 'X509', description: 'A client certificate from the authority of the fleet.' },
      },
    },
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

function server() {
  return {
    host: '{host}:{port}',
    protocol: 'secure-mqtt',
    protocolVersion: '3.1.1',
    description: 'The hub: TLS 1.3, mutual, no session resumed.',
    variables: {
      host: { description: 'As the answer to the enrolment says.' },
      port: { default: '8883', description: 'As the answer to the enrolment says.' },
    },
    security: [{ $ref: '#/components/securitySchemes/certificate' }],
    bindings: { mqtt: { cleanSession: true, keepAlive: 20, ...BINDING } },
  };
}

function channelOf({ address, summary, message }: Channel) {
  const levels = [...address.matchAll(/\{(\w+)\}/g)].map(([, level = '']) => level);
  return {
    address,
    summary,
    messages: { [message]: { $ref: `#/components/messages/${message}` } },
    parameters: Object.fromEntries(
      levels.map((level) => [level, { $ref: `#/components/parameters/${level}` }]),
    ),
  };
}

function operationOf(name: string, { action, message, retained, limit, reply }: Channel) {
  return {
    action,
    channel: channelRef(name),
    description: `QoS 1, ${retained ? 'retained' : 'not retained'}, at most ${limit} bytes.`,
    messages: [messageRef(name, message)],
    bindings: { mqtt: { qos: 1, retain: retained, ...BINDING } },
    ...(reply !== undefined && {
      reply: { channel: channelRef(reply.channel), messages: [messageRef(reply.channel, reply.message)] },
    }),
  };
}

/** Those that go over MQTT. */
function messages(): Documented[] {
  const used = new Set(Object.values(CHANNELS).map(({ message }) => message));
  return (Object.keys(DOCUMENTED) as Documented[]).filter((name) => used.has(name));
}

function message(name: Documented) {
  return {
    contentType: 'application/json',
    payload: schemaOf(name),
    examples: examples()
      .filter((example) => example.message === name)
      .map(({ text }) => ({ payload: JSON.parse(text) as unknown })),
  };
}
