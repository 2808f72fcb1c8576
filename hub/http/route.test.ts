import assert from 'node:assert/strict';
import { test } from 'node:test';
import { contract } from '@adbreak/shared/contract/http/contract.js';
import { problem } from '@adbreak/shared/contract/http/problem.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import Fastify from 'fastify';
import { z } from 'zod';
import { refuseUnguarded } from './access.js';
import { faults } from './faults.js';
import { registerOn } from './route.js';

const thing = contract({
  method: 'POST',
  path: '/things/{name}',
  access: 'public',
  summary: 'A thing.',
  params: z.object({ name: z.string().max(5) }),
  query: z.object({ size: z.coerce.number().int().default(1) }),
  body: z.strictObject({ colours: z.array(z.enum(['red', 'green'])).default([]) }),
  bodyIs: 'the thing',
  answer: z.object({ name: z.string(), size: z.number(), colours: z.array(z.string()) }),
  status: 201,
});

/** A server with this one route, which answers what it is given, and what its log says. */
function server(answer: (asked: object) => unknown, strict = false) {
  const app = Fastify();
  const log: string[] = [];
  app.setErrorHandler(faults({ now: () => new Date(0), report: (line) => log.push(line) }));
  registerOn(app, strict)(thing, ({ params, query, body }) =>
    // What a handler of before its contract would have answered: the types would not let it.
    JSON.parse(JSON.stringify(answer({ ...params, ...query, ...body }))),
  );
  const post = async (url: string, payload?: object) => {
    const told = await app.inject({ method: 'POST', url, ...(payload && { payload }) });
    return { status: told.statusCode, type: told.headers['content-type'], body: JSON.parse(told.body) };
  };
  return { post, log };
}

test('a route that does not say who may call it does not start the hub', () => {
  const app = Fastify();
  refuseUnguarded(app);
  assert.throws(
    () => app.get('/open', async () => 'all of it'),
    (error) =>
      error instanceof AdbreakError &&
      /the route GET \/open does not say who may call it/.test(error.message),
  );
  app.get('/said', { config: { access: 'public' } }, async () => 'little');
});

test('what comes in is parsed, with its defaults; an error names the part and the field', async () => {
  const { post } = server((asked) => asked);
  const { status, body } = await post('/things/cup?size=3', { colours: ['red'] });
  assert.deepEqual([status, body], [201, { name: 'cup', size: 3, colours: ['red'] }]);
  assert.deepEqual((await post('/things/cup')).body, { name: 'cup', size: 1, colours: [] });
  for (const [url, payload, words] of [
    ['/things/cup', { colours: ['red', 'blue'] }, /^Cannot accept the thing: colours\.1: /],
    ['/things/cup', { price: 1 }, /^Cannot accept the thing: .*price/],
    ['/things/saucer', {}, /^Cannot accept the path: name: /],
    ['/things/cup?size=big', {}, /^Cannot accept the query: size: /],
  ] as const) {
    const refused = await post(url, payload);
    const told = problem.parse(refused.body);
    assert.deepEqual([refused.status, told.code], [400, 'input_invalid'], url);
    assert.match(told.detail, words);
  }
});

test('an answer that does not fit its contract is a fault, whose inside is in the log alone', async () => {
  const { post, log } = server(() => ({ name: 'cup', size: 'secret', colours: [] }));
  const { status, body } = await post('/things/cup');
  const { code, request } = problem.parse(body);
  assert.deepEqual([status, code], [500, 'internal']);
  assert.ok(!JSON.stringify(body).includes('contract'));
  assert.match(
    log[0] ?? '',
    new RegExp(
      `^request ${request} .*the answer of POST /things/\\{name\\} does not fit its contract: size: `,
    ),
  );
});

test('what a contract does not name leaves no hub; a strict one says that it would have', async () => {
  const more = (asked: object) => ({ ...asked, fingerprint: 'f' });
  const { body } = await server(more).post('/things/cup');
  assert.deepEqual(body, { name: 'cup', size: 1, colours: [] });
  const strict = server(more, true);
  assert.equal((await strict.post('/things/cup')).status, 500);
  assert.match(strict.log[0] ?? '', /says more than its contract: answer\.fingerprint/);
});

test('a refusal is a problem document, and says the same to who reads answers as they were before', async () => {
  const { post } = server(() => {
    throw new AdbreakError('conflict', 'Cannot make a thing: there is one', { remedy: 'Take another name.' });
  });
  const { status, type, body } = await post('/things/cup');
  assert.deepEqual([status, type], [409, 'application/problem+json; charset=utf-8']);
  const { request, ...rest } = problem.parse(body);
  assert.match(request, /./);
  assert.deepEqual(rest, {
    type: '/api/v1/reference#conflict',
    title: 'Conflict',
    status: 409,
    detail: 'Cannot make a thing: there is one',
    code: 'conflict',
    remedy: 'Take another name.',
    error: 'conflict',
    message: 'Cannot make a thing: there is one',
  });
});
