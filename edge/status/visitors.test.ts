import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { hostname, networkInterfaces } from 'node:os';
import { describe, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Listeners } from '@adbreak/shared/listeners.js';
import { until } from '@adbreak/shared/testing/until.js';
import { namesOf, refusalOf } from '@adbreak/shared/visitors.js';
import { StatusPage } from './server.js';

/** The page as it listens for the whole network. */
async function pageOf(t: TestContext, host = '0.0.0.0') {
  const labels: string[] = [];
  const page = await StatusPage.start({
    host,
    port: 0,
    names: ['tv.fritz.box'],
    view: () => ({ device: 'pi' }),
    frame: () => null,
    picture: () => null,
    label: (_, label) => labels.push(label) > 0,
  });
  t.after(() => page[Symbol.asyncDispose]());
  return { page, port: Number(new URL(page.url).port), labels };
}

interface Listener {
  readonly socket: Socket;
  readonly heard: () => string;
  readonly ended: () => boolean;
}
interface Asked {
  readonly port: number;
  readonly address?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
}
async function ask({
  port,
  address = '127.0.0.1',
  headers = {},
  body,
}: Asked): Promise<{ status: number | undefined; error: unknown }> {
  const sent = request({
    host: address,
    port,
    path: body === undefined ? '/api/state' : '/api/labels',
    method: body === undefined ? 'GET' : 'POST',
    headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
  });
  sent.end(body);
  const [answer] = (await once(sent, 'response')) as [IncomingMessage];
  let text = '';
  for await (const piece of answer.setEncoding('utf8')) text += piece;
  return { status: answer.statusCode, error: JSON.parse(text).error };
}
const LABEL = JSON.stringify({ episode: null, label: 'ad' });
const FORBIDDEN = { status: 403, error: 'forbidden' };
const FINE = { status: 200, error: undefined };

describe('under which name the page answers', () => {
  test('a name that is not its own gets neither state nor label: DNS rebinding', async (t) => {
    const { port, labels } = await pageOf(t);
    for (const host of [
      'evil.example',
      `evil.example:${port}`,
      `${hostname()}.evil.example`,
      '192.0.2.7',
      '0.0.0.0',
      'evil@localhost',
      '[::1',
      'localhost:1:2',
    ]) {
      assert.deepEqual(await ask({ port, headers: { host } }), FORBIDDEN, host);
      assert.deepEqual(
        await ask({ port, headers: { host, origin: `http://${host}` }, body: LABEL }),
        FORBIDDEN,
        host,
      );
    }
    assert.deepEqual(labels, []);
  });
  test('its own names, loopback and configured ones are answered, with any port before it', async (t) => {
    const { port, labels } = await pageOf(t);
    const names = [
      'localhost',
      'LOCALHOST.',
      '127.0.0.1',
      '127.1.2.3',
      '[::1]',
      hostname(),
      `${hostname().split('.')[0]}.local`,
      'TV.fritz.box',
    ];
    for (const host of names.flatMap((name) => [name, `${name}:8080`])) {
      assert.deepEqual(await ask({ port, headers: { host } }), FINE, host);
      assert.deepEqual(
        await ask({ port, headers: { host, origin: `http://${host}` }, body: LABEL }),
        FINE,
        host,
      );
    }
    assert.equal(labels.length, 2 * names.length);
  });
  test('the address that another machine connects to is answered', async (t) => {
    const { port } = await pageOf(t);
    const outside = Object.values(networkInterfaces())
      .flatMap((all) => all ?? [])
      .filter(({ family, internal }) => family === 'IPv4' && !internal);
    // A machine without a network has the rest of 127/8.
    for (const { address } of [...outside, { address: '127.0.0.9' }])
      assert.deepEqual(
        await ask({ port, address, headers: { origin: `http://${address}:${port}` }, body: LABEL }),
        FINE,
        address,
      );
  });
  test('IPv6 and dual-stack addresses are compared as the Host header writes them', () => {
    const names = namesOf('Pi.lan', []);
    const answers = (host: string, address: string) =>
      refusalOf({ host, address, origin: undefined }, names, '') === null;
    assert.ok(answers('192.0.2.1:8080', '::ffff:192.0.2.1'));
    assert.ok(answers('[fe80::1]:8080', 'fe80::1%eth0'));
    assert.ok(answers('[2001:DB8:0::5]', '2001:db8::5'));
    assert.ok(
      answers('pi.local', '192.0.2.1') && answers('pi.lan', '192.0.2.1') && answers('pi', '192.0.2.1'),
    );
    assert.ok(!answers('[2001:db8::6]', '2001:db8::5') && !answers('', '::1'));
  });
  test('a page from elsewhere, a sandboxed one and nonsense are refused with a code', async (t) => {
    const { port, labels } = await pageOf(t);
    for (const origin of ['http://evil.example', 'null', 'nonsense', '', `http://localhost:${port + 1}`])
      assert.deepEqual(
        await ask({ port, headers: { origin, host: `localhost:${port}` }, body: LABEL }),
        FORBIDDEN,
        origin,
      );
    assert.deepEqual(labels, []);
  });
});

describe('who watches the stream', () => {
  async function listener(port: number, localAddress = '127.0.0.1'): Promise<Listener> {
    const socket = connect({ port, host: '127.0.0.1', localAddress });
    let heard = '';
    let ended = false;
    socket.setEncoding('utf8').on('data', (text) => {
      heard += String(text);
    });
    socket
      .on('error', () => undefined)
      .on('close', () => {
        ended = true;
      });
    socket.write('GET /api/stream HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await until('an answer', () => heard.includes('\r\n\r\n'));
    return { socket, heard: () => heard, ended: () => ended };
  }

  test('finds a place after any number of silent ones, and puts nobody of another machine out', async (t) => {
    const { page, port } = await pageOf(t);
    const other = await listener(port, '127.0.0.2');
    const silent: Listener[] = [];
    for (let i = 0; i < 25; i++) silent.push(await listener(port));
    const newest = await listener(port);
    t.after(() => [other, newest, ...silent].map(({ socket }) => socket.destroy()));
    assert.match(newest.heard(), /^HTTP\/1\.1 200/);
    page.send('episode', { id: 7 });
    await until('the newest and the other machine hear', () =>
      [newest, other].every(({ heard }) => heard().includes('{"id":7}')),
    );
    await until('the oldest are ended', () => silent.slice(0, 18).every(({ ended }) => ended()));
  });
  test('from many machines leaves when it has listened longest', async (t) => {
    const { page, port } = await pageOf(t);
    const all: Listener[] = [];
    for (let i = 1; i <= 21; i++) all.push(await listener(port, `127.0.1.${i}`));
    t.after(() => all.map(({ socket }) => socket.destroy()));
    await until('the oldest is ended', () => all[0]?.ended() === true);
    page.send('event', { id: 8 });
    await until('twenty hear', () => all.filter(({ heard }) => heard().includes('{"id":8}')).length === 20);
  });
  test('and does not read is ended, not kept with all that it leaves unread', async (t) => {
    const { page, port } = await pageOf(t);
    const dead = await listener(port);
    const alive = await listener(port);
    t.after(() => [dead, alive].map(({ socket }) => socket.destroy()));
    dead.socket.pause();
    const wall = 'x'.repeat(30_000);
    // Far more than the kernel keeps for one connection.
    for (let i = 0; i < 600; i++) {
      page.send('event', { i, wall });
      await sleep(0);
    }
    page.send('event', { last: true });
    await until('the one that reads hears all', () => alive.heard().includes('"last":true'));
    dead.socket.resume();
    await until('the other one is ended', () => dead.ended());
    assert.ok(!dead.heard().includes('"last":true'));
  });

  test('gets a sign of life now and then, by which TCP finds out who is gone', async (t) => {
    using listeners = new Listeners(20);
    const server = createServer((_, answer) => listeners.admit(answer, 'somebody')).listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => server.close());
    const address = server.address();
    assert.ok(typeof address === 'object' && address !== null);
    const one = await listener(address.port);
    t.after(() => one.socket.destroy());
    await until('three signs', () => one.heard().split(':\n\n').length > 3);
  });
});

test('a page that listens on every address is named by the host, and answers under that name', async (t) => {
  const { page, port } = await pageOf(t);
  assert.equal(page.url, `http://${hostname()}:${port}/`);
  assert.equal((await ask({ port, headers: { host: new URL(page.url).host } })).status, 200);
  assert.match((await pageOf(t, '127.0.0.1')).page.url, /^http:\/\/127\.0\.0\.1:/);
});

test('a label when nothing runs, and one that comes too late, are told apart', async (t) => {
  const nothing = () => null;
  const page = await StatusPage.start({
    host: '127.0.0.1',
    port: 0,
    view: nothing,
    frame: nothing,
    picture: nothing,
    label: () => false,
  });
  t.after(() => page[Symbol.asyncDispose]());
  const said = async (episode: number | null) => {
    const body = JSON.stringify({ episode, label: 'ad' });
    return (
      await fetch(new URL('/api/labels', page.url), {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
      })
    ).json();
  };
  assert.deepEqual(await said(null), {
    error: 'conflict',
    message: 'Cannot label: nothing is running now',
    remedy: 'Choose a scene in the list.',
  });
  assert.match(JSON.stringify(await said(7)), /episode 7 is not running and was counted already/);
});
