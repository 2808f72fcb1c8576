import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { frameArguments } from '@adbreak/shared/video/frames.js';
import { parse, stringify } from 'yaml';
import { requestOf } from '../capture/capture.js';
import { readConfig } from './config.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const SHIPPED = join(ROOT, 'configs/edge.yaml');
const UNIT = join(ROOT, 'provisioning/systemd/adbreak-agent.service');
const HUB_UNIT = join(ROOT, 'provisioning/systemd/adbreak-hub.service');
const AGENT = fileURLToPath(new URL('../main.js', import.meta.url));

/** The shipped configuration with another source. */
async function configured(source: object): Promise<string> {
  const path = join(await temporaryFolder(), 'edge.yaml');
  await writeFile(path, stringify({ ...parse(await readFile(SHIPPED, 'utf8')), source }));
  return path;
}
const argumentsOf = async (path: string) =>
  frameArguments(
    requestOf((await readConfig(path)).source, { width: 224, height: 224, scaler: 'area' }),
  ).join(' ');
const refused = (words: RegExp) => (error: unknown) =>
  error instanceof AdbreakError && error.code === 'input_invalid' && words.test(error.message);

describe('the source', () => {
  test('of the shipped configuration is an HDMI grabber, opened as V4L2', async () => {
    assert.match(
      await argumentsOf(SHIPPED),
      / -f v4l2 -input_format mjpeg -video_size 1280x720 -framerate 30 -i \/dev\/video0 /,
    );
  });
  test('that is a device needs no mode, and takes one in whole or in part', async () => {
    const device = { input: '/dev/v4l/by-id/usb-grabber-index0', kind: 'live' };
    assert.match(
      await argumentsOf(await configured(device)),
      / -f v4l2 -input_format mjpeg -video_size 1280x720 -framerate 30 -i \/dev\/v4l\/by-id/,
    );
    assert.match(
      await argumentsOf(await configured({ ...device, v4l2: { format: 'auto', size: '1920x1080' } })),
      / -f v4l2 -video_size 1920x1080 -framerate 30 -i /,
    );
  });
  test('refuses a mode that is none, and one for what is no device', async () => {
    const device = { input: '/dev/video0', kind: 'live' };
    for (const v4l2 of [
      { format: '-i' },
      { size: '1280' },
      { size: '0x0' },
      { size: '99999x10' },
      { framerate: 0 },
      { rate: 30 },
    ])
      await assert.rejects(
        readConfig(await configured({ ...device, v4l2 })),
        refused(/source\.v4l2/),
        JSON.stringify(v4l2),
      );
    await assert.rejects(
      readConfig(await configured({ input: 'rtsp://tuner/1', kind: 'live', v4l2: {} })),
      refused(/source\.v4l2.*\/dev\/video/),
    );
  });
  test('that is a file is found beside the configuration; a URL is left as it is', async () => {
    const path = await configured({ input: '-x:y.mkv', kind: 'file' });
    assert.equal((await readConfig(path)).source.input, join(dirname(path), '-x:y.mkv'));
    assert.equal(
      (await readConfig(await configured({ input: 'udp://@:5000', kind: 'live' }))).source.input,
      'udp://@:5000',
    );
  });
});

describe('the systemd unit', () => {
  /** [Service] as the last value of each key; what may be given several times is joined. */
  async function service(): Promise<ReadonlyMap<string, string>> {
    const lines = (await readFile(UNIT, 'utf8')).split('\n');
    const from = lines.indexOf('[Service]');
    const settings = new Map<string, string>();
    for (const line of lines.slice(from + 1, lines.indexOf('[Install]'))) {
      const [, key, value] = /^(\w+)=(.*)$/.exec(line) ?? [];
      if (key !== undefined && value !== undefined)
        settings.set(key, [settings.get(key), value].filter(Boolean).join(' '));
    }
    return settings;
  }

  test('may write the state folder of the shipped configuration', async () => {
    const settings = await service();
    const writable = [
      ...(settings.get('StateDirectory') ?? '').split(' ').map((name) => join('/var/lib', name)),
      ...(settings.get('ReadWritePaths') ?? '').split(' ').filter(Boolean),
    ];
    const { state } = await readConfig(SHIPPED);
    assert.equal(settings.get('ProtectSystem'), 'strict');
    assert.ok(
      writable.some((folder) => state === folder || state.startsWith(`${folder}/`)),
      `${state} is not under ${writable.join(', ')}`,
    );
  });
  test('sees the HDMI grabber and may open it', async () => {
    const settings = await service();
    assert.notEqual(settings.get('User'), undefined);
    assert.ok(
      (settings.get('SupplementaryGroups') ?? '').split(' ').includes('video'),
      'group video owns /dev/video0',
    );
    assert.ok(
      ['', 'no', 'false'].includes(settings.get('PrivateDevices') ?? ''),
      'PrivateDevices= would hide /dev/video0',
    );
    if (settings.has('DeviceAllow') || !['', 'auto'].includes(settings.get('DevicePolicy') ?? ''))
      assert.match(settings.get('DeviceAllow') ?? '', /(char-video4linux|\/dev\/video0) rw/);
  });
  test('is one that systemd takes, and so is the hub', async () => {
    for (const unit of [UNIT, HUB_UNIT]) {
      // Where Node is on this machine is not where it is on a Pi.
      const copy = join(await temporaryFolder(), basename(unit));
      await writeFile(copy, (await readFile(unit, 'utf8')).replace('/usr/bin/node', process.execPath));
      const { error, status, stderr } = spawnSync('systemd-analyze', ['verify', copy], { encoding: 'utf8' });
      if (error !== undefined)
        return assert.match(
          error.message,
          /ENOENT/,
          'a machine without systemd; the tests above read the unit themselves',
        );
      assert.equal(
        stderr
          .split('\n')
          .filter((line) => line.includes('adbreak-'))
          .join('\n'),
        '',
      );
      assert.equal(status, 0);
    }
  });
  test('of the hub gives its certificate the name that devices know, and room for a fleet of connections', async () => {
    const unit = await readFile(HUB_UNIT, 'utf8');
    assert.match(
      unit,
      /^Environment=ADBREAK_HUB_NAME=%H\nEnvironmentFile=-\S+\nExecStart=.* --name \$\{ADBREAK_HUB_NAME\}$/m,
      'in this order: the file wins',
    );
    assert.match(unit, /^LimitNOFILE=65536$/m);
  });
});

test('an agent that may not write its state folder says so in a sentence, with what to do', async () => {
  const folder = await temporaryFolder();
  const locked = join(folder, 'locked');
  await mkdir(locked);
  const path = join(folder, 'edge.yaml');
  await writeFile(
    path,
    stringify({ ...parse(await readFile(SHIPPED, 'utf8')), state: join(locked, 'state') }),
  );
  await writeFile(join(folder, 'ca.pem'), 'a certificate');
  await chmod(locked, 0o555);
  // Root without its capabilities obeys the folder's mode, like anybody else.
  const { status, stderr } = spawnSync(
    'setpriv',
    ['--bounding-set', '-all', process.execPath, AGENT, '--config', path],
    { encoding: 'utf8' },
  );
  assert.equal(status, 1);
  assert.match(
    stderr,
    /^error state_unwritable: Cannot keep anything in the state folder \S+locked\/state: root may not write it/,
  );
  assert.match(stderr, /what to do: Set `state` in the configuration/);

  // What ProtectSystem=strict does: the volume is there and read-only.
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'ro', 'tmpfs', locked]);
  try {
    assert.match(
      spawnSync(process.execPath, [AGENT, '--config', path], { encoding: 'utf8' }).stderr,
      /^error state_unwritable: /,
    );
  } finally {
    execFileSync('umount', ['-l', locked]);
  }
});

test('an agent whose card lacks the certificate of the hub, or a token, says so before it makes anything', async () => {
  const folder = await temporaryFolder();
  const path = join(folder, 'edge.yaml');
  const state = join(folder, 'state');
  const shipped = parse(await readFile(SHIPPED, 'utf8'));
  const said = () => spawnSync(process.execPath, [AGENT, '--config', path], { encoding: 'utf8' }).stderr;
  await writeFile(path, stringify({ ...shipped, state }));
  assert.match(said(), /^error not_found: Cannot read the authority's certificate \S+ca\.pem/);
  await writeFile(path, stringify({ ...shipped, state, token: undefined }));
  assert.match(said(), /^error token_invalid: /);
  assert.deepEqual(await readdir(folder), ['edge.yaml']);
});

test('a configuration that is wrong is said in words, with its field, its file, and where the fields are explained', async () => {
  const folder = await temporaryFolder();
  const path = join(folder, 'edge.yaml');
  const shipped = parse(await readFile(SHIPPED, 'utf8'));
  for (const [change, words] of [
    [{ device: undefined }, 'device: is missing'],
    [{ threads: 'two' }, 'threads: must be a number: it is a text'],
    [{ sauce: 1 }, 'has "sauce", which nothing here is called'],
    [{ hub: 'http://hub.example' }, 'hub: must be an https address such as https://hub.example:8443'],
    [{ runtime: 'cuda' }, 'runtime: must be one of "litert", "tflite", "addon", "auto"'],
  ] as const) {
    await writeFile(path, stringify({ ...shipped, ...change }));
    const { stderr } = spawnSync(process.execPath, [AGENT, '--config', path], { encoding: 'utf8' });
    assert.ok(
      stderr.includes(`error input_invalid: Cannot accept the configuration ${path}: ${words}`),
      stderr,
    );
    assert.ok(
      stderr.includes(`what to do: Correct it in ${path}: configs/edge.yaml has every field`),
      stderr,
    );
  }
});
