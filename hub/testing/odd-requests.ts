import type { Random } from '@adbreak/shared/random.js';
import type { TestHub } from '../testing.js';

/** Requests that nobody meant: paths, methods, headers and bodies, drawn from a seed. */
export interface Shot {
  readonly method: string;
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly body: Buffer | null;
  readonly certified: boolean;
}
const NAMES = [
  'constructor',
  '__proto__',
  'toString',
  'hasOwnProperty',
  'base-ad-detector',
  'pi-1',
  'pi-9',
  '1.0.0',
  '1.1.0',
  '9.9.9',
  'production',
  'targets',
  '%00',
];
/** What is really there comes more often. */
const LIVELY = ['base-ad-detector', '1.0.0', '1.1.0', 'pi-1', 'timestamp.json', '1.root.json'];
const ODD = [
  '',
  '.',
  '..',
  '%2e%2e%2f',
  '%',
  '%zz',
  'a'.repeat(300),
  'é',
  '%F0%9F%93%BA',
  '-1',
  '1e309',
  '9'.repeat(40),
  'null',
  '"',
  '{}',
  '<script>',
  '\\',
  'keys',
];
const NUMBERS = [-1, 0, 1, 0.5, 1e308, -1e308, Number.MAX_SAFE_INTEGER, 2 ** 53, 1e-320, 100, 101];
const WORDS = [
  'model',
  'versions',
  'candidate',
  'against',
  'plan',
  'reason',
  'percent',
  'rollout_percentage',
  'status',
  'supersede',
  'device',
  'hours',
  'count',
  'id',
];
const MORE = [
  'role',
  'token',
  'csr',
  'instance',
  'tags',
  'quorum',
  'secure',
  'epsilon',
  'min_devices',
  'where',
  'round',
  'phase',
  'vector',
  'boxes',
  'evidence',
];
const JSON_TYPES = Array.from({ length: 12 }, () => 'application/json');
const TYPES = [
  ...JSON_TYPES,
  'text/plain',
  'multipart/form-data',
  'multipart/form-data; boundary=x',
  'application/',
  ';',
  'x/y; z',
];

function value(random: Random, ids: readonly string[], depth = 0): unknown {
  switch (random.integer(depth > 3 ? 5 : 8)) {
    case 0:
      return random.pick(NUMBERS);
    case 1:
      return random.pick([...NAMES, ...ids]);
    case 2:
      return random.pick(ODD);
    case 3:
      return random.pick([true, false, null]);
    case 4:
      return random.pick(['canary', 'standard', 'demo', 'rollback', 'viewer', 'admin']);
    case 5:
      return Array.from({ length: random.integer(4) }, () => value(random, ids, depth + 1));
    default:
      return object(random, ids, depth + 1);
  }
}
function object(random: Random, ids: readonly string[], depth = 0): Record<string, unknown> {
  const keys = Array.from({ length: random.integer(6) }, () => random.pick([...WORDS, ...MORE, ...NAMES]));
  return Object.fromEntries(keys.map((key) => [key, value(random, ids, depth)]));
}

/** Bodies that a route would take, so that the fuzzer also comes behind the schemas. */
const PLAUSIBLE: readonly object[] = [
  { model: 'base-ad-detector' },
  { model: 'constructor', candidate: '1.0.0' },
  { model: 'base-ad-detector', candidate: '1.1.0', quorum: 2 },
  { model: 'constructor', versions: ['1.0.0', '1.1.0'] },
  { model: 'base-ad-detector', versions: ['1.1.0', '9.9.9'], plan: 'rollback' },
  { reason: 'fuzz' },
  { id: 'constructor', role: 'viewer' },
  { id: 'viewer', role: 'viewer' },
  { device: 'constructor', hours: 1, count: 1 },
  { tags: { constructor: 'x' } },
  { tags: { ring: 'early' } },
  { token: 'adbreak_claim_0000', device: 'constructor', csr: '', instance: '' },
  { plan: 'constructor' },
  { name: 'device=constructor', reason: 'fuzz' },
  { supersede: true },
  {},
];

function form(random: Random): Buffer {
  const parts = [
    '--x\r\n',
    'content-disposition: form-data; name="manifest"\r\n',
    '\r\n',
    '{}',
    '\r\n--x\r\n',
    'content-disposition: form-data; name="model"; filename="m"\r\n',
  ];
  const rest = [
    'content-type: application/json\r\n',
    '\r\n',
    'TFL3',
    '\r\n--x--\r\n',
    'content-disposition: form-data; name="__proto__"\r\n',
    '\0\0',
  ];
  const whole = [...parts, ...rest.slice(1, 4)];
  const made =
    random.uniform() < 0.5
      ? whole.filter(() => random.uniform() < 0.8)
      : Array.from({ length: random.integer(12) }, () => random.pick([...parts, ...rest]));
  return Buffer.from(made.join(''));
}

function bodyOf(random: Random, type: string, ids: readonly string[]): Buffer | null {
  if (type.startsWith('multipart')) return form(random);
  switch (random.integer(10)) {
    case 0:
      return null;
    case 1:
      return Buffer.from(
        random.pick([
          '{',
          '[]',
          'null',
          '0',
          '""',
          '{"a":',
          '\ufeff{}',
          '{"__proto__":{"x":1}}',
          '{"constructor":{"prototype":{}}}',
          '1e999',
          '',
        ]),
      );
    case 2:
      return Buffer.from(Array.from({ length: random.integer(60) }, () => random.integer(256)));
    case 3:
      return Buffer.from(JSON.stringify({ token: 'x'.repeat(random.integer(80_000)) }));
    case 4:
    case 5:
    case 6:
      return Buffer.from(JSON.stringify(random.pick(PLAUSIBLE)));
    case 7:
      return Buffer.from(JSON.stringify({ ...random.pick(PLAUSIBLE), ...object(random, ids) }));
    default:
      return Buffer.from(JSON.stringify(object(random, ids)));
  }
}

export function shot(random: Random, hub: TestHub, tokens: readonly string[], ids: readonly string[]): Shot {
  const route = random.pick(hub.running.routes);
  const path = route.url.replace(/:\w+|\*/g, () =>
    encodeOrNot(
      random,
      random.pick(random.uniform() < 0.7 ? [...NAMES, ...LIVELY, ...ids, ...ids, ...ids] : ODD),
    ),
  );
  const query =
    random.uniform() < 0.3
      ? `?${random.pick(['instance=i', 'instance', 'instance=a&instance=b', '__proto__=1', '%', `instance=${'x'.repeat(100)}`])}`
      : '';
  const type = random.pick(TYPES);
  const method =
    random.uniform() < 0.8
      ? route.method
      : random.pick(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND', 'TRACE']);
  const body = method === 'GET' || method === 'HEAD' || method === 'TRACE' ? null : bodyOf(random, type, ids);
  const authorization = random.pick([
    ...tokens.map((token) => `Bearer ${token}`),
    ...tokens.map((token) => `Bearer ${token}`),
    ...tokens.map((token) => `Bearer ${token}`),
    'Bearer x',
    'Basic eDp5',
    '',
    '',
  ]);
  const odd = random.pick([
    {},
    {},
    {},
    { expect: 'nothing' },
    { host: 'evil.example' },
    { 'x-request-id': '__proto__' },
    { 'if-none-match': '*' },
    { range: 'bytes=9-1' },
    { accept: '%%' },
  ]);
  const headers = {
    ...(body !== null && { 'content-type': type, 'content-length': String(body.byteLength) }),
    ...(authorization !== '' && { authorization }),
    ...odd,
  };
  return { method, path: `${path}${query}` || '/', headers, body, certified: random.uniform() < 0.4 };
}
function encodeOrNot(random: Random, text: string): string {
  // What Node would not send at all is sent escaped.
  return /[^!-~]|[\\"<>{}]/.test(text) || random.uniform() < 0.1 ? encodeURIComponent(text) : text;
}
