import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { rolloutEvent } from '../events.js';
import { configPath } from '../fixtures.js';
import { CAUSES, VERDICTS } from '../verdicts.js';
import { eventSchema } from './schema.js';

const docs = (name: string) => fileURLToPath(new URL(`../../../../docs/protocol/${name}`, import.meta.url));
const bin = fileURLToPath(new URL('../../../bin/adbreak.js', import.meta.url));
const replay = (...args: string[]) =>
  spawnSync(process.execPath, [bin, 'rollouts', 'replay', ...args], { encoding: 'utf8' });

/** The example of the page, with whole digests. */
async function example(): Promise<string[]> {
  const page = await readFile(docs('rollout-events.md'), 'utf8');
  const block = /```json\n([\s\S]*?)```/.exec(page)?.[1] ?? '';
  return block
    .replaceAll('"aaaa…"', JSON.stringify('a'.repeat(64)))
    .replaceAll('"bbbb…"', JSON.stringify('b'.repeat(64)))
    .trim()
    .split('\n');
}

test('the schema on disk is the one that the code parses with; `make schemas` writes it', async () => {
  assert.equal(await readFile(docs('rollout-event.schema.json'), 'utf8'), eventSchema());
});

test('the page names every kind of event', async () => {
  const page = await readFile(docs('rollout-events.md'), 'utf8');
  for (const option of rolloutEvent.options)
    assert.match(page, new RegExp(`\\| \`${String(option.shape.kind.value)}\``));
});

test('the operator’s page tells of every verdict and cause', async () => {
  const page = await readFile(
    fileURLToPath(new URL('../../../../docs/operations/rollouts.md', import.meta.url)),
    'utf8',
  );
  for (const word of [...VERDICTS, ...CAUSES]) assert.match(page, new RegExp(`^\\| \`${word}\` `, 'm'), word);
});

test('the example of the page replays, under its own plan and under another one', async () => {
  const path = join(await temporaryFolder(), 'hand.jsonl');
  await writeFile(path, `${(await example()).join('\n')}\n`);
  const own = replay('--events', path);
  assert.equal(own.status, 0, own.stderr);
  assert.match(own.stdout, /shadow: PASS → advance to all/);
  const other = replay('--events', path, '--plan', configPath('standard'), '--json');
  assert.equal(other.status, 0, other.stderr);
  assert.match(other.stdout, /"cause":"devices"/);
});

test('hostile logs are refused with the line; a last line that a power cut left unfinished is left out', async () => {
  const folder = await temporaryFolder();
  const lines = await example();
  const run = async (name: string, content: string) => {
    await writeFile(join(folder, name), content);
    return replay('--events', join(folder, name), '--json');
  };
  const cut = await run('cut', `${lines.join('\n')}\n{"kind":"ti`);
  assert.equal(cut.status, 0, cut.stderr);
  for (const [name, line, words] of [
    ['negative', lines[2]?.replace('"wins":4', '"wins":-4'), /line 3 .*wins/],
    ['nan', lines[2]?.replace('"episodes":40', '"episodes":NaN'), /line 3 of .*not JSON/],
    ['unknown', '{"kind":"frames","at":"2026-01-01T00:00:00.000Z"}', /line 3 .*kind/],
    ['huge', JSON.stringify({ kind: 'order', reason: 'x'.repeat(5_000_000) }), /line 3 .*at most/],
    ['picture', lines[2]?.replace('"frames":7200', '"frames":7200,"picture":"AAAA"'), /line 3 .*picture/i],
  ] as const) {
    const { status, stderr } = await run(name, `${[...lines.slice(0, 2), line, lines[3]].join('\n')}\n`);
    assert.equal(status, 1, name);
    assert.match(stderr, words, name);
  }
});
