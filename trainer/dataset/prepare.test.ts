import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, copyFile, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { sha256 } from '@adbreak/shared/storage/atomic.js';
import { smallVolume, temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { until } from '@adbreak/shared/testing/until.js';
import sharp from 'sharp';
import { dataset, MAIN, manifestOf, pathOptions, prepare, prepared } from '../testing/datasets.js';
import { savePicture, scenePicture, writeScenes } from '../testing/pictures.js';
import { SPLITS } from './ratio.js';

/** Every file below a folder with its digest. */
async function digestsIn(folder: string): Promise<Record<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const digests = await Promise.all(
    files.sort().map(async (path) => [path.slice(folder.length + 1), sha256(await readFile(path))]),
  );
  return Object.fromEntries(digests);
}
describe('a data set prepared from ad/ and content/', () => {
  test('has the folders, the ratio, and the statistics of what is in them', async () => {
    const folder = await temporaryFolder();
    const [source, output] = [join(folder, 'raw'), join(folder, 'data/sets/production')];
    await writeScenes(source, { ad: 60, content: 80 });
    const said = prepared(source, output, '--split-ratio', '0.7,0.15,0.15', '--max-frames', '100');
    const blocks: string[] = [];
    for (const split of SPLITS) {
      const [ads = [], content = []] = await Promise.all(
        ['ad', 'content'].map((label) => readdir(join(output, split, label))),
      );
      const total = ads.length + content.length;
      const share = (part: readonly string[]) => ((100 * part.length) / total).toFixed(1);
      blocks.push(
        `${split.toUpperCase()} SET:\n  Total: ${total}\n  ad: ${ads.length} (${share(ads)}%)\n  content: ${content.length} (${share(content)}%)`,
      );
      assert.equal(total, { train: 70, val: 15, test: 15 }[split]);
    }
    assert.ok(said.includes(`Dataset Statistics:\n${'='.repeat(50)}\n${blocks.join('\n\n')}\n`), said);
    assert.match(said, /left out: 40 beyond --max-frames/);
    assert.match(said, /⚠ 100 pictures for a base model: fewer than the least \(5,000\)/);
    assert.match(said, /✓ 50\.0% of them ads/);
    const train = await digestsIn(join(output, 'train'));
    const calibration = await digestsIn(join(output, 'calibration'));
    assert.ok(Object.keys(calibration).length > 10);
    for (const digest of Object.values(calibration)) assert.ok(Object.values(train).includes(digest));
    assert.deepEqual(await readdir(join(folder, 'data/sets')), ['production'], 'nothing unfinished stays');
    assert.ok(
      dataset('stats', output).stdout.startsWith(
        `Dataset Statistics:\n${'='.repeat(50)}\n${blocks.join('\n\n')}\n`,
      ),
    );
  });

  test('is the same folder, byte for byte, for the same seed, and another one for another', async () => {
    const folder = await temporaryFolder();
    await writeScenes(join(folder, 'raw'), { ad: 30, content: 30 });
    for (const [name, seed] of [
      ['a', '7'],
      ['b', '7'],
      ['c', '8'],
    ] as const)
      prepared(join(folder, 'raw'), join(folder, name), '--seed', seed, '--max-frames', '40');
    const [a, b, c] = await Promise.all(['a', 'b', 'c'].map((name) => digestsIn(join(folder, name))));
    assert.deepEqual(a, b);
    assert.notDeepEqual(a, c);
  });

  test('keeps near-duplicates of a picture in one split', async () => {
    const folder = await temporaryFolder();
    const source = join(folder, 'raw');
    for (const label of ['ad', 'content']) {
      await mkdir(join(source, label), { recursive: true });
      for (let i = 0; i < 30; i++) {
        // The order of names tells nothing.
        const name = (copy: number) => join(source, label, `${sha256(`${i} ${copy}`).slice(0, 8)}x${i}.jpg`);
        const scene = await scenePicture(`${label} ${i}`, 320, 180).png().toBuffer();
        await scenePicture(`${label} ${i}`, 320, 180).jpeg({ quality: 90 }).toFile(name(0));
        await sharp(scene).resize(160, 90).jpeg({ quality: 40 }).toFile(name(1));
        await sharp(scene).linear(1.02, 4).jpeg({ quality: 75 }).toFile(name(2));
      }
    }
    prepared(source, join(folder, 'set'));
    const homes = new Map<string, Set<string>>();
    for (const { label, path, split, group } of (await manifestOf(join(folder, 'set'))).pictures) {
      if (split === 'calibration') continue;
      const scene = `${label} ${/x(\d+)\.jpg$/.exec(path)?.[1]}`;
      homes.set(scene, (homes.get(scene) ?? new Set()).add(`${split} ${group}`));
    }
    assert.equal(homes.size, 60);
    for (const [scene, places] of homes) assert.equal(places.size, 1, `${scene}: ${[...places].join()}`);
  });

  test('leaves a picture out that is there under both labels, and names it and the other', async () => {
    const folder = await temporaryFolder();
    const source = join(folder, 'raw');
    await writeScenes(source, { ad: 20, content: 20 });
    await copyFile(join(source, 'ad/frame_3.jpg'), join(source, 'content/copy.jpg'));
    const large = () => scenePicture('large', 640, 360);
    await large().jpeg({ quality: 90 }).toFile(join(source, 'ad/frame_5.jpg'));
    await large().webp({ quality: 80 }).toFile(join(source, 'content/again.webp'));
    const said = prepared(source, join(folder, 'set'));
    assert.match(said, /left out: 4 that were there under both labels, and were left out under both/);
    assert.match(said, /ad\/frame_3\.jpg: content\/copy\.jpg is the same picture/);
    assert.match(said, /content\/again\.webp: ad\/frame_5\.jpg is the same picture/);
    const { pictures, leftOut } = await manifestOf(join(folder, 'set'));
    assert.equal(pictures.filter(({ split }) => split !== 'calibration').length, 38);
    assert.equal(leftOut.filter(({ reason }) => reason === 'both labels').length, 4);
  });

  test('counts and names what it cannot use, and what it writes anew', async () => {
    const folder = await temporaryFolder();
    const source = join(folder, 'raw');
    await writeScenes(source, { ad: 10, content: 10 });
    await writeFile(join(source, 'ad/broken.jpg'), 'no picture');
    await writeFile(join(source, 'ad/notes.txt'), 'notes');
    await writeFile(join(source, 'ad/.hidden.jpg'), 'no picture');
    await scenePicture('tiny', 16, 16).png().toFile(join(source, 'content/tiny.png'));
    await scenePicture('print').toColourspace('cmyk').jpeg().toFile(join(source, 'content/print.jpg'));
    await scenePicture('deep').toColourspace('rgb16').png().toFile(join(source, 'ad/deep.png'));
    const said = prepared(source, join(folder, 'set'));
    assert.match(said, /left out: 1 that could not be read\n {2}ad\/broken\.jpg: /);
    assert.match(
      said,
      /left out: 1 that had a side shorter than 32 pixels\n {2}content\/tiny\.png: 16 x 16 pixels/,
    );
    assert.match(said, /left out, as it is no JPEG, PNG or WebP: 1 \.txt/);
    assert.match(said, /written anew .*: 1 CMYK, 1 16-bit/);
    const { pictures } = await manifestOf(join(folder, 'set'));
    const deep = pictures.find(({ origin }) => origin === 'ad/deep.png');
    assert.ok(deep?.path.endsWith('/deep.jpg') && deep.changes.includes('16-bit'));
    assert.equal(dataset('verify', join(folder, 'set')).status, 0);
  });

  test('says where groups did not allow the ratio', async () => {
    const folder = await temporaryFolder();
    const source = join(folder, 'raw');
    for (const [recording, count] of [
      ['a', 30],
      ['b', 4],
      ['c', 4],
      ['d', 4],
    ] as const)
      for (const label of ['ad', 'content'])
        for (let i = 0; i < count; i++) {
          const name = `${recording} ${label} ${i}`;
          await savePicture(join(source, label, recording, `${i}.jpg`), name);
        }
    const said = prepared(source, join(folder, 'set'));
    assert.match(
      said,
      /⚠ the splits are 0\.71, 0\.\d+, 0\.\d+ of the pictures, where 0\.70, 0\.15, 0\.15 was asked: .*, and a alone has 60/,
    );
    const homes = new Map<string, Set<string>>();
    for (const { split, group } of (await manifestOf(join(folder, 'set'))).pictures)
      if (split !== 'calibration') homes.set(group, (homes.get(group) ?? new Set()).add(split));
    assert.deepEqual([...homes.keys()].sort(), ['a', 'b', 'c', 'd']);
    for (const splits of homes.values()) assert.equal(splits.size, 1);
  });
});

describe('what cannot become a data set is refused in a sentence, and writes nothing', () => {
  const cases: Record<string, { files: readonly string[]; options?: readonly string[]; words: RegExp }> = {
    'no folder': { files: [], words: /error not_found: Cannot read .*raw: there is no such folder/ },
    'one class': {
      files: ['ad/1.jpg', 'ad/2.jpg'],
      words: /error dataset_invalid: .*no pictures .* in content\//,
    },
    'one picture of a class': {
      files: ['ad/1.jpg', 'content/2.jpg', 'content/3.jpg', 'content/4.jpg'],
      words: /error dataset_invalid: Cannot split: \w+ would have no ad, of 1 ad pictures in all/,
    },
    'a ratio of percents': {
      files: ['ad/1.jpg', 'content/2.jpg'],
      options: ['--split-ratio', '70,15,15'],
      words: /error input_invalid: Cannot split by "70,15,15"/,
    },
    'no frames': {
      files: ['ad/1.jpg', 'content/2.jpg'],
      options: ['--max-frames', '0'],
      words: /whole number from 1/,
    },
    'another source': {
      files: ['ad/1.jpg', 'content/2.jpg'],
      options: ['--source', 's3'],
      words: /Allowed choices are local/,
    },
  };
  for (const [what, { files, options = [], words }] of Object.entries(cases))
    test(what, async () => {
      const folder = await temporaryFolder();
      for (const file of files) await savePicture(join(folder, 'raw', file), file);
      const done = prepare(join(folder, 'raw'), join(folder, 'set'), ...options);
      assert.equal(done.status, 1);
      assert.match(done.stderr, words);
      assert.deepEqual(
        (await readdir(folder)).filter((name) => name !== 'raw'),
        [],
      );
    });

  test('a source inside of its own data set', async () => {
    const folder = await temporaryFolder();
    await writeScenes(join(folder, 'raw'), { ad: 3, content: 3 });
    assert.match(prepare(join(folder, 'raw'), join(folder, 'raw/set')).stderr, /lie in each other/);
    assert.match(prepare(join(folder, 'raw'), join(folder, 'raw')).stderr, /lie in each other/);
  });
});

describe('the place of a data set', () => {
  const ready = async () => {
    const folder = await temporaryFolder();
    const [source, output] = [join(folder, 'raw'), join(folder, 'set')];
    await writeScenes(source, { ad: 12, content: 12 });
    prepared(source, output);
    return { folder, source, output };
  };

  test('takes a new one in the place of the old one, but none over what is something else', async () => {
    const { source, output, folder } = await ready();
    await savePicture(join(source, 'ad/one more.jpg'), 'one more');
    prepared(source, output);
    assert.equal((await manifestOf(output)).sources[0]?.offered, 13);
    await mkdir(join(folder, 'mine'));
    await writeFile(join(folder, 'mine/notes'), 'mine');
    assert.match(prepare(source, join(folder, 'mine')).stderr, /error conflict: .*something else is there/);
    assert.deepEqual(await readdir(join(folder, 'mine')), ['notes']);
  });

  test('keeps what people changed in it by hand, until they say --force', async () => {
    const { source, output } = await ready();
    const [name = ''] = await readdir(join(output, 'train/ad'));
    await rename(join(output, 'train/ad', name), join(output, 'train/content', `moved ${name}`));
    assert.match(
      prepare(source, output).stderr,
      /error conflict: .*changed by hand since it was made; train\/ad\//,
    );
    prepared(source, output, '--force');
    assert.equal(dataset('verify', output).status, 0);
  });

  test('keeps what people put beside its pictures, at any depth', async () => {
    const { source, output } = await ready();
    for (const place of ['notes.txt', 'model/model.tflite', 'train/mine/1.jpg']) {
      await mkdir(dirname(join(output, place)), { recursive: true });
      await writeFile(join(output, place), 'mine');
      assert.match(prepare(source, output).stderr, new RegExp(`error conflict: .*; ${place} was added`));
      assert.equal(await readFile(join(output, place), 'utf8'), 'mine');
      await rm(join(output, place));
    }
    prepared(source, output);
  });

  test('is verified: each picture that is changed, gone or was added is named', async () => {
    const { output } = await ready();
    const [first = '', second = ''] = await readdir(join(output, 'train/content'));
    await appendFile(join(output, 'train/content', first), 'x');
    await rm(join(output, 'train/content', second));
    await savePicture(join(output, 'val/ad/added.jpg'), 'added');
    const done = dataset('verify', output);
    assert.equal(done.status, 1);
    assert.match(done.stdout, new RegExp(`train/content/${first}: it has changed`));
    assert.match(done.stdout, new RegExp(`train/content/${second}: it is gone`));
    assert.match(done.stdout, /val\/ad\/added\.jpg is not in the manifest/);
    assert.match(done.stderr, /error dataset_invalid: .*3 things are wrong/);
    const text = await readFile(join(output, 'dataset.json'), 'utf8');
    await writeFile(join(output, 'dataset.json'), text.replace('"train/ad/', '"train/ad/other '));
    assert.match(dataset('stats', output).stderr, /error dataset_invalid: .*do not give its fingerprint/);
    for (const [from, to] of [
      ['"split":"test"', '"split":"train"'],
      ['"label":"ad"', '"label":"content"'],
    ] as const) {
      await writeFile(join(output, 'dataset.json'), text.replace(from, to));
      assert.match(
        dataset('verify', output).stderr,
        /error dataset_invalid: .*its path must be of its split and label/,
      );
    }
    await writeFile(join(output, 'dataset.json'), text.replace(/"train\/ad\/[^"]+"/, '"train/ad/.."'));
    assert.match(dataset('verify', output).stderr, /error dataset_invalid: .*pictures\.\d+\.path/);
  });

  test('is empty after a kill half-way, and the next run clears what was left', async () => {
    const folder = await temporaryFolder();
    const [source, output] = [join(folder, 'raw'), join(folder, 'set')];
    await writeScenes(source, { ad: 150, content: 150 });
    const child = spawn(process.execPath, [MAIN, 'dataset', 'prepare', ...pathOptions(source, output)], {
      stdio: 'ignore',
    });
    await until('its beginning', async () => (await readdir(folder)).some((name) => name.endsWith('.part')));
    child.kill('SIGKILL');
    await once(child, 'exit');
    assert.ok(!(await readdir(folder)).includes('set'));
    assert.match(dataset('stats', output).stderr, /error not_found/);
    prepared(source, output);
    assert.deepEqual((await readdir(folder)).sort(), ['raw', 'set']);
  });

  test('is empty after Ctrl-C, at once, and nothing is beside it', async () => {
    const folder = await temporaryFolder();
    const [source, output] = [join(folder, 'raw'), join(folder, 'set')];
    await writeScenes(source, { ad: 150, content: 150 });
    const child = spawn(process.execPath, [MAIN, 'dataset', 'prepare', ...pathOptions(source, output)]);
    let complained = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      complained += text;
    });
    await until('its beginning', async () => (await readdir(folder)).some((name) => name.endsWith('.part')));
    child.kill('SIGINT');
    const [code] = await once(child, 'close');
    assert.equal(code, 130, complained);
    assert.match(complained, /nothing half-written was left/);
    assert.deepEqual(await readdir(folder), ['raw']);
  });

  test('stays as it was where the disk is full', async (t) => {
    const folder = await temporaryFolder();
    await writeScenes(join(folder, 'raw'), { ad: 60, content: 60 });
    const volume = await smallVolume(t, 128);
    const done = prepare(join(folder, 'raw'), join(volume, 'set'));
    assert.equal(done.status, 1);
    assert.match(done.stderr, /error disk_full/);
    assert.deepEqual(await readdir(volume), []);
  });
});
