import { examples } from './examples.js';
import { CHANNELS, DOCUMENTED, type Documented, PARAMETERS, schemaOf } from './messages.js';

/** https://www.asyncapi.com/docs/reference/specification/v3.0.0; bindings of MQTT in their version 0.2.0. */
const ASYNCAPI = '3.0.0';
const BINDING = { bindingVersion: '0.2.0' };
const LICENSE = { name: 'Apache-2.0', url: 'https://www.apache.org/licenses/LICENSE-2.0' };

const channelRef = (channel: string) => ({ $ref: `#/channels/${channel}` });
const messageOf = (channel: string) => CHANNELS[channel]?.message ?? '';
const messageRef = (channel: string) => ({ $ref: `#/channels/${channel}/messages/${messageOf(channel)}` });

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
    channels: Object.fromEntries(Object.keys(CHANNELS).map((name) => [name, channelOf(name)])),
    operations: Object.fromEntries(Object.keys(CHANNELS).map((name) => [name, operationOf(name)])),
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

function channelOf(name: string) {
  const channel = CHANNELS[name];
  const { address = '', summary = '' } = channel ?? {};
  const levels = [...address.matchAll(/\{(\w+)\}/g)].map(([, level = '']) => level);
  return {
    address,
    summary,
    messages: { [messageOf(name)]: { $ref: `#/components/messages/${messageOf(name)}` } },
    parameters: Object.fromEntries(
      levels.map((level) => [level, { $ref: `#/components/parameters/${level}` }]),
    ),
  };
}

function operationOf(name: string) {
  const { action, retained = false, limit = 0, reply } = CHANNELS[name] ?? {};
  return {
    action,
    channel: channelRef(name),
    description: `QoS 1, ${retained ? 'retained' : 'not retained'}, at most ${limit} bytes.`,
    messages: [messageRef(name)],
    bindings: { mqtt: { qos: 1, retain: retained, ...BINDING } },
    ...(reply !== undefined && { reply: { channel: channelRef(reply), messages: [messageRef(reply)] } }),
  };
}

/** Those that go over MQTT. */
function messages(): Documented[] {
  const used = new Set(Object.keys(CHANNELS).map(messageOf));
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
