import assert from 'node:assert/strict';
import { copyFile, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { formatLabels } from '@adbreak/shared/video/labels.js';
import { dataset, manifestOf, prepare, prepared } from '../testing/datasets.js';
import { sceneVideo, writeScenes } from '../testing/pictures.js';

describe('recordings with labels', () => {
  const scenes = (name: string, count: number, seconds = 5) =>
    Array.from({ length: count }, (_, i) => ({
      seed: `${name} ${i}`,
      seconds,
      label: i % 2 === 0 ? ('content' as const) : ('ad' as const),
    }));
  const record = async (source: string, name: string, parts: ReturnType<typeof scenes>) =>
    writeFile(
      join(source, `${name}.csv`),
      formatLabels(await sceneVideo(join(source, `${name}.mkv`), parts)),
    );

  test('go whole into one split each, and a spot that two of them show is in one alone', async () => {
    const folder = await temporaryFolder();
    const source = join(folder, 'raw');
    const spot = { seed: 'spot', seconds: 5, label: 'ad' as const };
    for (const name of ['one', 'two', 'three', 'four'])
      await record(source, name, [...scenes(name, 6), spot]);
    const said = prepared(source, join(folder, 'set'), '--fps', '1');
    const { pictures, leftOut } = await manifestOf(join(folder, 'set'));
    const homes = new Map<string, Set<string>>();
    for (const { split, group, at, origin } of pictures) {
      assert.ok(at !== null && origin === `${group}.mkv@${at.toFixed(3)}`, origin);
      if (split !== 'calibration') homes.set(group, (homes.get(group) ?? new Set()).add(split));
    }
    for (const [group, splits] of homes) assert.equal(splits.size, 1, group);
    assert.equal(new Set([...homes.values()].flatMap((splits) => [...splits])).size, 3);
    const spots = pictures.filter(({ at, split }) => (at ?? 0) >= 30 && split !== 'calibration');
    assert.equal(new Set(spots.map(({ split }) => split)).size, 1);
    assert.ok(leftOut.length >= 10 && leftOut.every(({ reason }) => reason === 'in another split too'));
    assert.match(said, /that had near-duplicates in a recording of another split/);
  });

  test('of which there is but one fill the splits by time, scene by scene, in the ratio', async () => {
    const folder = await temporaryFolder();
    const source = join(folder, 'raw');
    await record(source, 'evening', scenes('evening', 40));
    const said = prepared(source, join(folder, 'set'), '--fps', '2');
    assert.match(said, /evening\.mkv was divided by time/);
    const { pictures } = await manifestOf(join(folder, 'set'));
    const times = (split: string) => pictures.filter((one) => one.split === split).map(({ at }) => at ?? 0);
    assert.deepEqual([times('train').length, times('val').length, times('test').length], [280, 60, 60]);
    assert.ok(Math.max(...times('train')) < 140 && Math.min(...times('val')) >= 140);
    assert.ok(Math.max(...times('val')) < 170 && Math.min(...times('test')) >= 170);
    assert.equal(new Set(pictures.map(({ group }) => group)).size, 40);
  });

  test('come together with pictures, with labels of other formats and words; without labels they are named', async () => {
    const folder = await temporaryFolder();
    const source = join(folder, 'raw');
    await writeScenes(source, { ad: 10, content: 10 });
    for (const name of ['one', 'two', 'three']) await record(source, name, scenes(name, 10));
    const text = await readFile(join(source, 'one.csv'), 'utf8');
    await writeFile(join(source, 'one.csv'), text.replaceAll(',ad', ',Werbung').replaceAll(',', ';'));
    await rm(join(source, 'two.csv'));
    const said = prepared(source, join(folder, 'set'), '--label-map', 'werbung=ad');
    assert.match(said, /two\.mkv: no labels beside it/);
    const { sources } = await manifestOf(join(folder, 'set'));
    assert.deepEqual(
      sources.map(({ path, kind, offered }) => [path, kind, offered]),
      [
        ['ad', 'pictures', 10],
        ['content', 'pictures', 10],
        ['one.mkv', 'recording', 50],
        ['three.mkv', 'recording', 50],
      ],
    );
    await writeFile(join(source, 'three.edl'), '5\t10\t3\n15\t99\t3\n');
    const past = prepare(source, join(folder, 'other'), '--label-format', 'edl');
    assert.match(
      past.stderr,
      /error labels_invalid: .*three\.edl.*they end at 99\.000 s, the recording at 50/,
    );
  });

  test('an EDL in which nothing is says that all of a recording is programme', async () => {
    const folder = await temporaryFolder();
    const source = join(folder, 'raw');
    for (const name of ['one', 'two', 'three', 'four']) await record(source, name, scenes(name, 6));
    for (const name of ['one', 'two', 'three']) await writeFile(join(source, `${name}.edl`), '5\t15\t3\n');
    await writeFile(join(source, 'four.edl'), '');
    prepared(source, join(folder, 'set'), '--label-format', 'edl');
    const { pictures } = await manifestOf(join(folder, 'set'));
    const four = pictures.filter(({ group }) => group === 'four');
    assert.ok(four.length >= 30 && four.every(({ label }) => label === 'content'), String(four.length));
  });

  test('sorted by hand are verified and counted with the words of their labels; one in two splits is named', async () => {
    const folder = await temporaryFolder();
    for (const split of ['train', 'val', 'test']) {
      await record(join(folder, split), 'one', scenes(split, 2));
      const text = await readFile(join(folder, split, 'one.csv'), 'utf8');
      await writeFile(join(folder, split, 'one.csv'), text.replaceAll(',ad', ',advert'));
    }
    const words = ['--label-map', 'advert=ad'];
    assert.match(dataset('verify', folder).stderr, /error labels_invalid/);
    assert.match(
      dataset('verify', folder, ...words).stdout,
      /every recording can be read, and is in one split/,
    );
    assert.equal(dataset('stats', folder, ...words).status, 0);
    await copyFile(join(folder, 'train/one.mkv'), join(folder, 'test/one.mkv'));
    const done = dataset('verify', folder, ...words);
    assert.equal(done.status, 1);
    assert.match(done.stdout, /test\/one\.mkv is .*train\/one\.mkv once more/);
  });
});
