import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { Agent } from 'node:https';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Access } from '@adbreak/shared/contract/http/access.js';
import { OPERATIONS } from '@adbreak/shared/contract/http/all.js';
import { openApi, openApiText } from '@adbreak/shared/contract/http/openapi.js';
import { ERROR_CODES } from '@adbreak/shared/errors.js';
import { z } from 'zod';
import { callHub } from '../cli/client.js';
import { answerOf } from '../testing/asked.js';
import { testHub } from '../testing.js';

const FILE = fileURLToPath(new URL('../../../docs/protocol/openapi.json', import.meta.url));
const operation = z.looseObject({
  operationId: z.string(),
  security: z.array(z.record(z.string(), z.array(z.string()))),
  parameters: z.array(z.looseObject({ name: z.string(), in: z.string() })).optional(),
  responses: z.record(z.string(), z.unknown()),
});
const BY_ROLE = ['token', 'session'];
const WAYS: Readonly<Record<Access, readonly string[]>> = {
  public: [],
  visitor: ['session'],
  device: ['certificate'],
  'late-device': ['certificate'],
  viewer: BY_ROLE,
  operator: BY_ROLE,
  admin: BY_ROLE,
};
const document = z.looseObject({
  openapi: z.string(),
  paths: z.record(z.string(), z.record(z.string(), operation)),
  components: z.looseObject({ schemas: z.record(z.string(), z.unknown()) }),
});

test('the OpenAPI on disk is made from the contracts that routes are registered from; `make schemas` writes it', async () => {
  assert.equal(await readFile(FILE, 'utf8'), openApiText());
});

test('every reference in it leads somewhere, every name in a path is a parameter, every operation says who may call it', () => {
  const text = openApiText();
  const known = JSON.parse(text);
  const references = [...text.matchAll(/"\$ref": "#\/([^"]+)"/g)].map(([, path = '']) => path);
  assert.ok(references.length > 100, `${references.length} references`);
  for (const path of new Set(references)) {
    const found = path.split('/').reduce<unknown>((value, name) => Object(value)[name], known);
    assert.ok(found !== undefined, path);
  }
  const { paths } = document.parse(openApi());
  const operations = Object.entries(paths).flatMap(([path, own]) =>
    Object.values(own).map((one) => ({ path, one })),
  );
  assert.equal(operations.length, OPERATIONS.length);
  assert.equal(new Set(operations.map(({ one }) => one.operationId)).size, operations.length);
  for (const { path, one } of operations) {
    const named = (one.parameters ?? [])
      .filter((parameter) => parameter.in === 'path')
      .map(({ name }) => name);
    const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
    assert.deepEqual(named.sort(), inPath.sort(), path);
    assert.ok('default' in one.responses, path);
    const access = OPERATIONS.find(({ name }) => name === one.operationId)?.contract.access;
    const ways = one.security.flatMap((way) => Object.keys(way));
    assert.deepEqual(ways, WAYS[access ?? 'public'], one.operationId);
  }
});

test('the hub answers with it, and with a page that names every route and code and loads nothing from elsewhere', async (t) => {
  const hub = await testHub(t);
  assert.deepEqual(
    await callHub({ ...hub, token: 'none' }, '/api/v1/openapi.json'),
    JSON.parse(openApiText()),
  );
  const agent = new Agent({ ca: hub.authority });
  const { status, headers, body } = await answerOf({
    hub: hub.hub,
    method: 'GET',
    path: '/api/v1/reference',
    agent,
  });
  assert.equal(status, 200);
  assert.match(
    String(headers['content-security-policy']),
    /^default-src 'none'; style-src 'unsafe-inline'; base-uri/,
  );
  assert.doesNotMatch(body, /https?:|<script|<link|<img|@import|url\(/);
  for (const { contract, name } of OPERATIONS) {
    assert.ok(body.includes(`${contract.method} ${contract.path}<`), name);
    assert.ok(body.includes(`id="${name}"`), name);
  }
  for (const code of Object.keys(ERROR_CODES)) assert.ok(body.includes(`<tr id="${code}">`), code);
});
