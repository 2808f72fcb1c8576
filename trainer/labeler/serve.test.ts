import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { copyFile, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import {
  labelRecordingSchema,
  labelSessionSchema,
  labelSignalsSchema,
  labelsChangedSchema,
  labelsSchema,
  queueSchema,
  savedSchema,
} from '@adbreak/shared/contract/labelling.js';
import { check } from '@adbreak/shared/contract/parse.js';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { until } from '@adbreak/shared/testing/until.js';
import { z } from 'zod';
import { lockOutput } from './lock.js';
import { serve } from './serve.js';
import { broadcast, paint } from './testing.js';

const MAIN = fileURLToPath(new URL('../main.js', import.meta.url));
const WITHOUT_MODEL = { ...process.env, ADBREAK_MODELS: '/nowhere' };

interface Page {
  readonly url: string;
  readonly child: ChildProcess;
  readonly stderr: () => string;
}

/** `adbreak label` as a process of its own. */
async function start(t: TestContext, videoDir: string, outputDir: string, ...more: string[]): Promise<Page> {
  const args = [MAIN, 'label', '--video-dir', videoDir, '--output-dir', outputDir, '--port', '0', ...more];
  const child = spawn(process.execPath, args, { env: WITHOUT_MODEL, stdio: ['ignore', 'pipe', 'pipe'] });
  t.after(() => child.kill('SIGKILL'));
  let words = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    words += text;
  });
  for await (const line of createInterface({ input: child.stdout })) {
    const [, url] = /^labelling page: (\S+)$/.exec(line) ?? [];
    if (url !== undefined) return { url, child, stderr: () => words };
  }
  throw new Error(`it did not start: ${words}`);
}

async function kill({ child }: Page): Promise<void> {
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}

async function get<T>({ url }: Page, path: string, schema: z.ZodType<T>): Promise<T> {
  const answer = await fetch(new URL(path, url));
  const body: unknown = await answer.json();
  assert.equal(answer.status, 200, JSON.stringify(body));
  return check(schema, body, path);
}

function post(
  { url }: Page,
  path: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(new URL(path, url), {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
}

const listSchema = z.object({ recordings: z.array(labelRecordingSchema) });

/** A folder with one recording of 12 s under two names, one that is damaged, and a link that leads out of it. */
async function folders() {
  const [videos, output] = [await temporaryFolder(), await temporaryFolder()];
  await mkdir(join(videos, 'day'));
  broadcast(join(videos, 'day', 'evening.mkv'), 12);
  await copyFile(join(videos, 'day', 'evening.mkv'), join(videos, 'other.mkv'));
  await writeFile(join(videos, 'damaged.mkv'), 'nothing');
  const outside = join(output, 'outside.mkv');
  await copyFile(join(videos, 'other.mkv'), outside);
  await symlink(outside, join(videos, 'link.mkv'));
  return { videos, output };
}

async function recordingOf(page: Page): Promise<string> {
  const { recordings } = await get(page, '/api/recordings', listSchema);
  return recordings.find(({ problem }) => problem === null)?.id ?? assert.fail('no recording');
}

describe('the labelling server', () => {
  test('what it serves: recordings once, however often they lie there, damaged ones with their problem, new ones as they come', async (t) => {
    const { videos, output } = await folders();
    const page = await start(t, videos, output, '--labeller', 'Ann');
    const session = await get(page, '/api/session', labelSessionSchema);
    assert.deepEqual([session.labellers, session.hasModel], [['Ann'], false]);
    const { recordings } = await get(page, '/api/recordings', listSchema);
    assert.deepEqual(
      recordings.map(({ name, aliases, problem }) => [name, aliases, problem === null]),
      [
        ['damaged.mkv', [], false],
        ['day/evening.mkv', ['other.mkv'], true],
      ],
    );
    assert.match(page.stderr(), /link\.mkv is left out/);
    broadcast(join(videos, 'late.ts'), 3);
    await until('the new recording', async () =>
      (await get(page, '/api/recordings', listSchema)).recordings.some(
        ({ name, problem }) => name === 'late.ts' && problem === null,
      ),
    );
    const id = await recordingOf(page);
    const signals = await until('the signals', async () => {
      const answer = await fetch(new URL(`/api/recordings/${id}/signals`, page.url));
      return answer.status === 200 ? answer.json() : null;
    });
    const { wave, waveStep } = check(labelSignalsSchema, signals, 'the signals');
    assert.ok(Math.abs(wave.length * waveStep - 12) < 0.3);
    const { items } = await get(page, '/api/queue?labeller=Ann', queueSchema);
    assert.ok(items.length > 0);
    const frames = await fetch(new URL(`/api/recordings/${id}/frames`, page.url));
    assert.equal((await frames.arrayBuffer()).byteLength, 12 * 25 * 8);
    assert.equal((await fetch(new URL(`/api/recordings/${id}/pieces/1`, page.url))).status, 200);
    assert.equal((await fetch(new URL(`/api/recordings/${'0'.repeat(16)}/frames`, page.url))).status, 404);
  });

  test('killed after a hundred keys, from two tabs at once: every one that was answered is there, once', async (t) => {
    const { videos, output } = await folders();
    const first = await start(t, videos, output);
    const recording = await recordingOf(first);
    const answered: string[] = [];
    const tab = async (labeller: string) => {
      for (let i = 0; ; i++) {
        const action = paint(i / 10, i / 10 + 0.1, i % 2 ? 'ad' : 'content', { recording });
        const answer = await post(first, '/api/events', { labeller, action }).catch(() => null);
        if (answer?.status !== 200) return;
        answered.push(action.id);
        if (answered.length === 100) await kill(first);
      }
    };
    await Promise.all([tab('ann'), tab('bob')]);
    assert.ok(answered.length >= 100);

    const second = await start(t, videos, output);
    const spans = await Promise.all(
      ['ann', 'bob'].map((labeller) =>
        get(second, `/api/recordings/${recording}/labels?labeller=${labeller}`, labelsSchema),
      ),
    );
    const kept = spans.flatMap((one) => one.spans.map(({ action }) => action));
    for (const id of answered) assert.equal(kept.filter((one) => one === id).length, 1);
    const [last = assert.fail()] = answered.slice(-1);
    const lines = (await readFile(join(output, 'labels.events.jsonl'), 'utf8')).trimEnd().split('\n');
    assert.equal(lines.filter((line) => line.includes(last)).length, 1);
  });

  test('one writer: a second server on the same output is refused', async (t) => {
    const { videos, output } = await folders();
    await start(t, videos, output);
    await assert.rejects(
      start(t, videos, output),
      /error conflict: Cannot write labels.*process \d+ does so already/s,
    );
  });

  test('a log that was edited by hand stops it with the line', async (t) => {
    const { videos, output } = await folders();
    await writeFile(join(output, 'labels.events.jsonl'), '{"sequence":1,"digest":"0000000000000000"}\n');
    await assert.rejects(start(t, videos, output), /error state_corrupt: .*line 1/s);
  });

  test('another tab hears of each key, and after a break of what it missed', async (t) => {
    const { videos, output } = await folders();
    const page = await start(t, videos, output);
    const recording = await recordingOf(page);
    const press = (start: number) =>
      post(page, '/api/events', { labeller: 'ann', action: paint(start, start + 1, 'ad', { recording }) });
    const events = async (after: number, key: () => Promise<unknown>) => {
      const gone = new AbortController();
      const answer = await fetch(new URL('/api/stream', page.url), {
        headers: { 'last-event-id': String(after) },
        signal: gone.signal,
      });
      let text = '';
      const reading = (async () => {
        for await (const chunk of answer.body ?? []) text += Buffer.from(chunk).toString();
      })().catch(() => undefined);
      await key();
      const seen = await until('the event', () => /event: labels\nid: (\d+)\ndata: (.*)\n\n/.exec(text));
      gone.abort();
      await reading;
      return { id: seen[1], changed: check(labelsChangedSchema, JSON.parse(seen[2] ?? ''), 'the event') };
    };
    const live = await events(0, () => press(1));
    assert.equal(live.id, '1');
    await press(4);
    const { changed } = await events(1, async () => undefined);
    assert.deepEqual(
      changed.changed[0]?.spans.map(({ start }) => start),
      [1, 4],
    );
    assert.equal(changed.undo, 'ad: 0:04.0 to 0:05.0 of day/evening.mkv');
  });

  test('S writes what all agree on, says what is in dispute, and keeps what others wrote', async (t) => {
    const { videos, output } = await folders();
    await mkdir(join(output, 'day'));
    await writeFile(join(output, 'day', 'evening.csv'), 'mine');
    const page = await start(t, videos, output);
    const recording = await recordingOf(page);
    const say = (labeller: string, start: number, end: number, label: 'ad' | 'content') =>
      post(page, '/api/events', { labeller, action: paint(start, end, label, { recording }) });
    await say('ann', 0, 8, 'ad');
    await say('bob', 4, 8, 'ad');
    await say('bob', 6, 7, 'content');
    const saved = check(savedSchema, await (await post(page, '/api/save', {})).json(), 'the answer');
    assert.match(
      saved.leftOut.join('\n'),
      /evening\.csv was not written by a save: it is kept as .*\.before/,
    );
    assert.match(saved.leftOut.join('\n'), /day\/evening\.mkv: 1\.0 s on which labellers disagree/);
    const csv = 'start,end,label\n0.000,6.000,ad\n7.000,8.000,ad\n';
    assert.equal(await readFile(join(output, 'day', 'evening.csv'), 'utf8'), csv);
    assert.equal(await readFile(join(output, 'other.csv'), 'utf8'), csv);
    assert.equal(await readFile(join(output, 'day', 'evening.csv.before'), 'utf8'), 'mine');
    assert.match(
      await readFile(join(output, 'day', 'evening.edl'), 'utf8'),
      /^0\.000\t6\.000\t3\n7\.000\t8\.000\t3\n$/,
    );
    const again = check(savedSchema, await (await post(page, '/api/save', {})).json(), 'the answer');
    assert.equal(again.leftOut.length, 1, 'its own files are replaced');
    const tabs = await Promise.all(Array.from({ length: 8 }, () => post(page, '/api/save', {})));
    assert.deepEqual(
      tabs.map(({ status }) => status),
      tabs.map(() => 200),
      'at once from many tabs',
    );
  });

  test('a signal that comes while it opens ends it', { timeout: 60_000 }, async (t) => {
    const { videos, output } = await folders();
    const before = process.env.ADBREAK_MODELS;
    process.env.ADBREAK_MODELS = WITHOUT_MODEL.ADBREAK_MODELS;
    t.after(() => {
      if (before === undefined) delete process.env.ADBREAK_MODELS;
      else process.env.ADBREAK_MODELS = before;
    });
    const stop = new AbortController();
    const options = { videoDir: videos, outputDir: output, host: '127.0.0.1', port: 0, version: '0' };
    await serve({ ...options, say: () => undefined, onUrl: () => stop.abort() }, stop.signal);
    await using _lock = await lockOutput(output);
  });

  test('bad requests are refused with their code, and change nothing', async (t) => {
    const { videos, output } = await folders();
    const page = await start(t, videos, output);
    const recording = await recordingOf(page);
    const action = paint(1, 2, 'ad', { recording });
    const codes: [unknown, number][] = [
      [{ labeller: '../x', action }, 400],
      [{ labeller: 'ann', action: { ...action, start: -1 } }, 400],
      [{ labeller: 'ann', action: { ...action, end: 9000 } }, 400],
      [{ labeller: 'ann', action: { ...action, more: 1 } }, 400],
      [{ labeller: 'ann', action: { kind: 'undo', id: randomUUID() } }, 409],
      [{ labeller: 'ann', action: { ...action, recording: 'ffffffffffffffff' } }, 404],
      [{ labeller: 'x'.repeat(3_000_000), action }, 413],
    ];
    for (const [body, status] of codes) assert.equal((await post(page, '/api/events', body)).status, status);
    const { sequence } = await get(page, `/api/recordings/${recording}/labels?labeller=ann`, labelsSchema);
    assert.equal(sequence, 0);
  });
});

/** A request with headers that `fetch` does not let one set. */
async function raw(
  url: string,
  headers: Record<string, string>,
  method = 'GET',
): Promise<{ status: number; headers: NodeJS.Dict<string | string[]> }> {
  const sent = request(url, { method, headers });
  sent.end(method === 'POST' ? '{}' : undefined);
  const [answer] = await once(sent, 'response');
  answer.resume();
  return { status: answer.statusCode, headers: answer.headers };
}

describe('who is let in', () => {
  test('on the loopback: not under another name, not a page of elsewhere, no form', async (t) => {
    const { videos, output } = await folders();
    const { url } = await start(t, videos, output);
    const json = { 'content-type': 'application/json' };
    const save = new URL('/api/save', url).href;
    const { host, origin } = new URL(url);
    assert.equal((await raw(url, {})).status, 200);
    assert.equal((await raw(url, { host: 'evil.example' })).status, 403);
    assert.equal((await raw(save, { ...json, origin: 'http://evil.example' }, 'POST')).status, 403);
    assert.equal((await raw(save, { ...json, 'sec-fetch-site': 'cross-site' }, 'POST')).status, 403);
    assert.equal(
      (await raw(new URL('/api/session', url).href, { 'sec-fetch-site': 'same-site' })).status,
      403,
    );
    assert.equal((await raw(save, { 'content-type': 'text/plain' }, 'POST')).status, 400);
    assert.equal((await raw(save, { ...json, host, origin }, 'POST')).status, 200);
    const page = await raw(url, {});
    assert.match(
      String(page.headers['content-security-policy']),
      /script-src 'self';.*media-src 'self' blob:/,
    );
    assert.equal((await raw(new URL('/..%2f..%2fpackage.json', url).href, {})).status, 404);
  });

  test('on every address: with the token alone, which becomes a cookie', async (t) => {
    const { videos, output } = await folders();
    const { url } = await start(t, videos, output, '--host', '0.0.0.0');
    const { port, searchParams } = new URL(url);
    const base = `http://127.0.0.1:${port}`;
    const token = searchParams.get('token') ?? assert.fail('no token');
    for (const path of ['/', '/api/session', '/enter', '/enter?token=wrong', '/api/stream'])
      assert.equal((await raw(base + path, {})).status, 401, path);
    const entered = await raw(`${base}/enter?token=${token}`, {});
    assert.equal(entered.status, 303);
    const cookie = String(entered.headers['set-cookie']);
    assert.match(cookie, /HttpOnly; SameSite=Strict/);
    assert.equal((await raw(`${base}/api/session`, { cookie: cookie.split(';')[0] ?? '' })).status, 200);
    assert.equal((await raw(`${base}/api/session`, { authorization: `Bearer ${token}` })).status, 200);
    assert.equal((await raw(`${base}/api/session`, { cookie: 'adbreak-label=wrong' })).status, 401);
  });
});
