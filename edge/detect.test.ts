import assert from 'node:assert/strict';
import { mkdir, open, readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { greyVideo } from '@adbreak/shared/testing/temporary.js';
import { TINY_SIZE } from '@adbreak/shared/testing/tiny-model.js';
import { until } from '@adbreak/shared/testing/until.js';
import { AdClassifier } from '@adbreak/shared/tflite/classifier.js';
import { withFeatures } from '@adbreak/shared/tflite/features.js';
import { openRuntime } from '@adbreak/shared/tflite/open.js';
import { fitUnsure } from '@adbreak/shared/unsure.js';
import { probeVideo } from '@adbreak/shared/video/probe.js';
import {
  AD,
  breakVideo,
  detect,
  durationOf,
  ffmpeg,
  folderWithModel,
  isRead,
  PROGRAMME,
  slowPath,
  startDetect,
} from './testing/detecting.js';

interface Told {
  readonly segments: readonly { readonly start: number; readonly end: number; readonly label: string }[];
  readonly warnings: readonly string[];
}
const told = (line: string): Told => JSON.parse(line);
const labels = ({ segments }: Told) => segments.map(({ label }) => label);
const near = (value: number | undefined, wanted: number, by = 0.5) =>
  assert.ok(Math.abs((value ?? Number.NaN) - wanted) <= by, `${value} for ${wanted}`);

describe('a recording', () => {
  test('gives its timeline, and every file that is asked for', async () => {
    const { folder, model } = await folderWithModel();
    const recording = join(folder, "Monday's film.mkv");
    breakVideo(recording);
    const all = ['--edl', '--chapters', '--frames', '--mark', '--cut'];
    const { code, out, error } = await detect(recording, '--model', model, '--json', ...all);
    assert.equal(code, 0, error);
    const timeline = told(out);
    assert.deepEqual(labels(timeline), ['content', 'ad', 'content']);
    near(timeline.segments[1]?.start, 20);
    near(timeline.segments[1]?.end, 40);
    near(timeline.segments[2]?.end, 60);
    assert.deepEqual(timeline.warnings, []);

    const stem = join(folder, "Monday's film");
    assert.match(await readFile(`${stem}.edl`, 'utf8'), /^[12]\d\.\d\d\t[34]\d\.\d\d\t3\n$/);
    assert.equal((await readFile(`${stem}.frames.csv`, 'utf8')).split('\n').length, 1 + 120 + 1);
    assert.match(await readFile(`${stem}.chapters.txt`, 'utf8'), /title=Advertisement/);

    const probed = ffmpeg(['-show_chapters', '-of', 'json', `${stem}.marked.mkv`], 'ffprobe');
    const { chapters } = JSON.parse(probed) as {
      chapters: { start_time: string; tags: { title: string } }[];
    };
    assert.deepEqual(
      chapters.map(({ tags }) => tags.title),
      ['Programme', 'Advertisement', 'Programme'],
    );
    near(Number(chapters[1]?.start_time), 20);
    near(durationOf(`${stem}.marked.mkv`), 60, 0.2);

    near(durationOf(`${stem}.cut.mkv`), 40, 1);
    const rest = told((await detect(`${stem}.cut.mkv`, '--model', model, '--json')).out);
    assert.deepEqual(labels(rest), ['content'], 'no advertisement is left');
  });

  test('is cut in an .mp4 as well', async () => {
    const { folder, model } = await folderWithModel();
    const recording = join(folder, 'a.mp4');
    breakVideo(recording);
    assert.equal((await detect(recording, '--model', model, '--cut', '--mark')).code, 0);
    near(durationOf(join(folder, 'a.cut.mp4')), 40, 1);
    near(durationOf(join(folder, 'a.marked.mp4')), 60, 0.2);
    const rest = await detect(join(folder, 'a.cut.mp4'), '--model', model, '--json');
    assert.deepEqual(labels(told(rest.out)), ['content']);
  });

  test('with key frames far apart keeps more of an advertisement, and says so', async () => {
    const { folder, model } = await folderWithModel();
    const recording = join(folder, 'a.mkv');
    // A key frame in 25 s, so that the second programme begins 15 s early.
    greyVideo(recording, [
      { level: PROGRAMME, seconds: 20 },
      { level: AD, seconds: 20 },
      { level: PROGRAMME, seconds: 20 },
    ]);
    const { code, error } = await detect(recording, '--model', model, '--cut');
    assert.equal(code, 0);
    near(durationOf(join(folder, 'a.cut.mkv')), 55, 1);
    assert.match(error, /^warning: .*1[45] s of advertisement are left in .*a\.cut\.mkv: .*key frames/);
    assert.match(error, /^wrote .*a\.cut\.mkv$/m);
  });

  test('that is all advertisement leaves nothing to copy, and says so', async () => {
    const { folder, model } = await folderWithModel();
    const recording = join(folder, 'a.mkv');
    greyVideo(recording, [{ level: AD, seconds: 20 }]);
    const { code, error } = await detect(recording, '--model', model, '--cut');
    assert.equal(code, 0);
    assert.match(error, /^warning: .*it is all advertisement/);
    assert.doesNotMatch(error, /^wrote/m);
    assert.ok(!(await readdir(folder)).includes('a.cut.mkv'));
  });

  test('in hindsight by default, as a device decides it where that is asked for', async () => {
    const { folder, model } = await folderWithModel();
    const recording = join(folder, 'a.mkv');
    breakVideo(recording);
    for (const decision of ['hindsight', 'live']) {
      const { out } = await detect(recording, '--model', model, '--json', '--decision', decision);
      assert.equal(JSON.parse(out).decision, decision);
      assert.deepEqual(labels(told(out)), ['content', 'ad', 'content']);
    }
    assert.equal(JSON.parse((await detect(recording, '--model', model, '--json')).out).decision, 'hindsight');
  });

  test('whose picture begins late has the times that players show', async () => {
    const { folder, model } = await folderWithModel();
    const [picture, late] = [join(folder, 'a.mkv'), join(folder, 'late.ts')];
    breakVideo(picture);
    const sound = ['-f', 'lavfi', '-t', '64', '-i', 'sine=220'];
    ffmpeg(['-itsoffset', '3', '-i', picture, ...sound, '-c:v', 'copy', '-c:a', 'mp2', late]);
    const { out, error } = await detect(late, '--model', model, '--json', '--cut', '--mark');
    const { segments } = told(out);
    near(segments[0]?.start, 3);
    near(segments[1]?.start, 23);
    near(segments[1]?.end, 43);
    assert.equal(error, '');
    assert.deepEqual(
      labels(told((await detect(join(folder, 'late.cut.ts'), '--model', model, '--json')).out)),
      ['content'],
    );
  });

  test('that begins within a group of pictures is dated from its sound on, not from the picture that is shown first', async () => {
    const { folder, model } = await folderWithModel();
    const [picture, whole, entered] = [join(folder, 'a.mkv'), join(folder, 'w.ts'), join(folder, 'e.ts')];
    breakVideo(picture);
    const sound = ['-f', 'lavfi', '-t', '60', '-i', 'sine=220'];
    const encoding = ['-c:v', 'libx264', '-preset', 'ultrafast', '-g', '50', '-c:a', 'mp2'];
    ffmpeg(['-i', picture, ...sound, ...encoding, whole]);
    const bytes = await readFile(whole);
    await writeFile(entered, bytes.subarray(188 * Math.floor((0.02 * bytes.length) / 188)));
    const away = (await probeVideo(entered)).start - (await probeVideo(whole)).start;
    assert.ok(away > 0.5 && away < 4, `the first ${away} s are gone`);
    const edges = async (path: string) =>
      told((await detect(path, '--model', model, '--json', '--fps', '10')).out).segments.map(
        ({ start }) => start,
      );
    const [begin = 0, onset, end] = await edges(entered);
    assert.ok(Math.abs(begin - (5 - away)) < 0.15, `the first key frame is at ${begin} s`);
    near(onset, 20 - away, 0.15);
    near(end, 40 - away, 0.15);
  });

  test('goes into a file with --output, and what exists stays without --overwrite', async () => {
    const { folder, model } = await folderWithModel();
    const [recording, output] = [join(folder, 'a.mkv'), join(folder, 'a.csv')];
    breakVideo(recording);
    const args = [recording, '--model', model, '--format', 'csv', '--output', output];
    assert.deepEqual(await detect(...args), { code: 0, out: '', error: '' });
    assert.match(await readFile(output, 'utf8'), /^start,end,label,confidence\n0\.00,.*,content,/);
    assert.match((await detect(...args)).error, /^error conflict: .*a\.csv: it exists/);
    assert.equal((await detect(...args, '--overwrite')).code, 0);
  });
});

describe('several recordings', () => {
  test('are looked at one after the other; one that cannot be read does not cost the others', async () => {
    const { folder, model } = await folderWithModel();
    const [first, second, notes] = ['first.mkv', 'second.mp4', 'notes.mkv'].map((name) => join(folder, name));
    breakVideo(first ?? '');
    greyVideo(second ?? '', [{ level: PROGRAMME, seconds: 30 }]);
    await writeFile(notes ?? '', 'no video');
    const all = [first ?? '', notes ?? '', second ?? ''];
    const { code, out, error } = await detect(...all, '--model', model, '--json', '--edl');
    assert.equal(code, 1);
    assert.match(error, /error video_unreadable: .*notes\.mkv/);
    assert.deepEqual(out.trim().split('\n').map(told).map(labels), [
      ['content', 'ad', 'content'],
      ['content'],
    ]);
    assert.equal(await readFile(join(folder, 'second.edl'), 'utf8'), '');
    assert.deepEqual(
      (await readdir(folder)).filter((name) => name.endsWith('.edl')),
      ['first.edl', 'second.edl'],
    );
  });
});

describe('what is wrong with a recording', () => {
  test('a container longer than its picture is a warning', async () => {
    const { folder, model } = await folderWithModel();
    const [picture, longer] = [join(folder, 'a.mkv'), join(folder, 'longer.mkv')];
    breakVideo(picture);
    const sound = ['-f', 'lavfi', '-t', '90', '-i', 'sine=220'];
    ffmpeg(['-i', picture, ...sound, '-c:v', 'copy', '-c:a', 'aac', longer]);
    const { code, out, error } = await detect(longer, '--model', model, '--json');
    assert.equal(code, 0);
    assert.match(told(out).warnings.join(), /container says 00:01:30\.\d, its picture ends at 00:01:00\.0/);
    assert.match(error, /^warning: .*longer\.mkv: its container says/);
  });

  test('sound alone has no picture, with a cover too', async () => {
    const { folder, model } = await folderWithModel();
    const [sound, cover, song] = ['a.m4a', 'cover.png', 'song.mp3'].map((name) => join(folder, name));
    ffmpeg(['-f', 'lavfi', '-t', '5', '-i', 'sine=220', sound ?? '']);
    ffmpeg(['-f', 'lavfi', '-i', 'color=red:s=64x64:d=1', '-frames:v', '1', cover ?? '']);
    ffmpeg([
      ...['-f', 'lavfi', '-t', '5', '-i', 'sine=220', '-i', cover ?? '', '-map', '0', '-map', '1'],
      ...['-c:v', 'copy', '-disposition:v', 'attached_pic', song ?? ''],
    ]);
    for (const path of [sound ?? '', song ?? '']) {
      const { code, error } = await detect(path, '--model', model);
      assert.equal(code, 1);
      assert.match(error, /^error video_unreadable: .* has no picture, only sound\n/);
    }
  });

  for (const ending of ['mkv', 'ts'])
    test(`a truncated .${ending} has its timeline up to there`, async () => {
      const { folder, model } = await folderWithModel();
      const recording = join(folder, `a.${ending}`);
      breakVideo(recording);
      await truncate(recording, Math.floor(0.7 * (await stat(recording)).size));
      const { code, out } = await detect(recording, '--model', model, '--json');
      assert.equal(code, 0);
      assert.deepEqual(labels(told(out)).slice(0, 2), ['content', 'ad']);
      if (ending === 'mkv') assert.match(told(out).warnings.join(), /nothing is known of the rest|damaged/);
    });

  test('a truncated .mp4, which has lost its index or a part of it, is unreadable', async () => {
    const { folder, model } = await folderWithModel();
    const recording = join(folder, 'a.mp4');
    breakVideo(recording);
    for (const share of [0.7, 0.2]) {
      await truncate(recording, Math.floor(share * (await stat(recording)).size));
      const { code, error } = await detect(recording, '--model', model);
      assert.equal(code, 1);
      assert.match(error, /^error video_unreadable: .*a\.mp4: .*(moov atom not found|names no stream)/);
    }
  });

  test('damaged bytes in the middle cost what is there, not the rest', async () => {
    const { folder, model } = await folderWithModel();
    const recording = join(folder, 'a.ts');
    breakVideo(recording);
    const file = await open(recording, 'r+');
    const { size } = await file.stat();
    await file.write(Buffer.alloc(2000, 0x5a), 0, 2000, Math.floor(size * 0.2));
    await file.close();
    const { code, out } = await detect(recording, '--model', model, '--json');
    assert.equal(code, 0);
    assert.ok(labels(told(out)).includes('ad'));
    near(told(out).segments.at(-1)?.end, 60, 2);
  });

  test('a picture like nothing in training is unsure, and no advertisement anywhere', async () => {
    const { folder, model } = await folderWithModel(async ({ file, manifest }) => {
      using classifier = new AdClassifier(
        await openRuntime('auto').open(withFeatures(file)),
        manifest.preprocess,
      );
      const greys = Array.from({ length: 60 }, async (_, i) => {
        const pixels = new Uint8Array(TINY_SIZE * TINY_SIZE * 3).fill(
          (i < 30 ? PROGRAMME : AD) + (i % 10) - 5,
        );
        return (await classifier.judge(pixels)).features;
      });
      const features = await Promise.all(greys);
      return { ...manifest, unsure: fitUnsure(features, features) };
    });
    const [grey, cyan, both] = ['grey.mkv', 'cyan.mkv', 'both.mkv'].map((name) => join(folder, name));
    breakVideo(grey ?? '');
    // Bright enough for the model to call it an advertisement.
    ffmpeg(['-f', 'lavfi', '-i', 'color=cyan:s=64x36:r=10:d=20', '-c:v', 'libx264', cyan ?? '']);
    const graph = '[0:v][1:v]concat=n=2:v=1:a=0';
    ffmpeg(['-i', grey ?? '', '-i', cyan ?? '', '-filter_complex', graph, '-c:v', 'libx264', both ?? '']);
    const { code, out, error } = await detect(both ?? '', '--model', model, '--json', '--edl', '--frames');
    assert.equal(code, 0, error);
    assert.deepEqual(labels(told(out)), ['content', 'ad', 'content', 'unsure']);
    near(told(out).segments[3]?.start, 60);
    assert.equal((await readFile(join(folder, 'both.edl'), 'utf8')).trim().split('\n').length, 1);
    const last = (await readFile(join(folder, 'both.frames.csv'), 'utf8')).trim().split('\n').at(-1);
    assert.match(last ?? '', /,1$/);
    assert.ok(Number(last?.split(',')[1]) > 0.5, 'the model itself would have said ad');
  });
});

describe('what is asked wrongly', () => {
  test('without a model the remedy names what makes one', async () => {
    const { code, error } = await detect('a.mkv');
    assert.equal(code, 1);
    assert.match(error, /^error not_found: .*\n.*`adbreak models pull NAME`.*`make model`/);
  });
  test('a kept model is taken where none is named', async () => {
    const { folder, model } = await folderWithModel();
    await mkdir(join(folder, 'models'));
    const { keepModel } = await import('@adbreak/shared/kept-model.js');
    process.env['ADBREAK_MODELS'] = join(folder, 'models');
    await keepModel(
      await readFile(join(model, 'model.tflite')),
      await readFile(join(model, 'manifest.json')),
    );
    delete process.env['ADBREAK_MODELS'];
    const recording = join(folder, 'a.mkv');
    breakVideo(recording);
    const { ended } = startDetect([recording], { ADBREAK_MODELS: join(folder, 'models') });
    assert.match((await ended).out, /▓ AD/);
  });
  test('a device, a format without names for several, and numbers out of range are refused', async () => {
    const { model } = await folderWithModel();
    const refusal = async (...args: string[]) => (await detect(...args, '--model', model)).error;
    assert.match(await refusal('/dev/video0'), /error input_invalid: .*it is no recording/);
    assert.match(
      await refusal('a.mkv', 'b.mkv', '--format', 'csv'),
      /error input_invalid: .*several recordings/,
    );
    assert.match(await refusal('a.mkv', '--fps', '0'), /--fps.*from 0.01 to 60/);
    assert.match(await refusal('a.mkv', '--threads', '1.5'), /--threads.*whole number/);
  });
});

describe('Ctrl-C', () => {
  const half = async (folder: string) => (await readdir(folder)).some((name) => name.endsWith('.part'));
  for (const [when, reached, args] of [
    ['while it looks', (folder: string) => isRead(join(folder, 'a.mkv')), ['--edl', '--frames']],
    ['while it copies', half, ['--cut']],
  ] as const)
    test(`${when} ends it at once and leaves nothing half-written`, async () => {
      const { folder, model } = await folderWithModel();
      const recording = join(folder, 'a.mkv');
      breakVideo(recording);
      const PATH = await slowPath(folder, 15);
      const before = await readdir(folder);
      const { ended, interrupt } = startDetect([recording, '--model', model, ...args], { PATH });
      await until(when, () => reached(folder));
      const sent = performance.now();
      interrupt();
      const { code, out, error } = await ended;
      assert.equal(code, 130, error);
      assert.ok(performance.now() - sent < 3000);
      assert.equal(out, '');
      assert.match(error, /interrupted; nothing half-written was left/);
      assert.deepEqual(await readdir(folder), before);
    });
});
