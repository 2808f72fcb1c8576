import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const BIN = join(ROOT, 'hub/bin/adbreak.js');
/** Options whose value is a place that a command writes to. */
const WRITES = new Set(['--output', '--state', '--report', '--cache']);

interface Written {
  readonly line: string;
  readonly words: readonly string[];
}

/** Every `adbreak …` of a document: in its shell blocks, and between single backquotes. */
function commandsOf(markdown: string): Written[] {
  const blocks = [...markdown.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].flatMap(([, block = '']) =>
    block.split('\n').map((line) => line.replace(/\s#.*$/, '')),
  );
  const spans = [...markdown.replace(/^```[\s\S]*?^```$/gm, '').matchAll(/`([^`\n]+)`/g)].map(
    ([, span = '']) => span,
  );
  return [...blocks, ...spans]
    .flatMap((line) => line.split(/&&|\|/))
    .map((line) => line.trim().replace(/^npx /, ''))
    .filter((line) => line.startsWith('adbreak '))
    .map((line) => ({ line, words: line.replace(/[[\]]/g, ' ').trim().split(/\s+/).slice(1) }));
}

const helps = new Map<string, string>();
function helpOf(path: readonly string[]): string {
  const name = path.join(' ');
  const known = helps.get(name);
  if (known !== undefined) return known;
  const { status, stdout, stderr } = spawnSync(process.execPath, [BIN, ...path, '--help'], {
    encoding: 'utf8',
  });
  assert.equal(status, 0, `adbreak ${name} --help: ${stderr}`);
  helps.set(name, stdout);
  return stdout;
}

/** The command that the words name, as deep as its help lists sub commands. */
function pathOf(words: readonly string[]): string[] {
  const path: string[] = [];
  for (const word of words) {
    const listed = /^Commands:\n((?: {2}.*\n?)+)/m.exec(helpOf(path))?.[1];
    if (listed === undefined) break;
    assert.ok(
      new RegExp(`^ {2}${word}\\b`, 'm').test(listed),
      `adbreak ${path.join(' ')} has no command ${word}`,
    );
    path.push(word);
  }
  return path;
}

const documents = [
  'README.md',
  'docs/detect.md',
  'docs/operations/rollouts.md',
  'docs/operations/http.md',
  'docs/operations/fleet.md',
  'docs/operations/keys.md',
];

for (const document of documents) {
  test(`every command in ${document} exists, with every option it is given`, async () => {
    const commands = commandsOf(await readFile(join(ROOT, document), 'utf8'));
    assert.ok(commands.length >= 5, `${commands.length} commands`);
    for (const { line, words } of commands) {
      const named = words.slice(0, words.findIndex((word) => !/^[a-z]+(-[a-z]+)*$/.test(word)) >>> 0);
      const help = helpOf(pathOf(named));
      const options = words.filter((word) => word.startsWith('-'));
      for (const option of options)
        assert.ok(
          new RegExp(`^ {2}(-\\w, )?${option}(?![\\w-])`, 'm').test(help),
          `${line}: no option ${option} in its help`,
        );
      const required = [...help.matchAll(/^Usage: .*?((?: <[a-z-]+(?:\.\.\.)?>)*)$/gm)].flatMap(
        ([, all = '']) => all.trim().split(' ').filter(Boolean),
      );
      if (words.length > named.length || options.length > 0)
        assert.ok(
          words.length >= pathOf(named).length + required.length,
          `${line}: it needs ${required.join(' ')}`,
        );
    }
  });
}

test('every target of make in README.md exists', async () => {
  const readme = await readFile(join(ROOT, 'README.md'), 'utf8');
  const makefile = await readFile(join(ROOT, 'Makefile'), 'utf8');
  const targets = new Set([...readme.matchAll(/(?:^|`)make ([a-z-]+)/gm)].map(([, target = '']) => target));
  assert.ok(targets.size >= 8, [...targets].join());
  for (const target of targets) assert.match(makefile, new RegExp(`^${target}:`, 'm'));
});

test('what the commands of README.md write is outside of the checkout, or git does not see it', async () => {
  const checkout = await temporaryFolder();
  execFileSync('git', ['init', '--quiet', checkout]);
  await copyFile(join(ROOT, '.gitignore'), join(checkout, '.gitignore'));
  execFileSync('git', ['-C', checkout, 'add', '.gitignore']);
  // The folders of the sources: a place in one of them would be seen as well.
  for (const name of await readdir(ROOT))
    if (!name.startsWith('.') && !name.includes('.')) await mkdir(join(checkout, name));
  const places = commandsOf(await readFile(join(ROOT, 'README.md'), 'utf8')).flatMap(({ words }) =>
    words.flatMap((word, i) =>
      WRITES.has(word) || (word === '--config' && words[0] === 'agent') ? [words[i + 1] ?? ''] : [],
    ),
  );
  assert.ok(places.length >= 5, places.join());
  for (const place of places.filter((name) => !/^[~/]/.test(name))) {
    // As a file, and as a folder with something in it.
    const file = join(checkout, place.includes('.') ? place : join(place, 'something.json'));
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, '{}');
    assert.equal(
      execFileSync('git', ['-C', checkout, 'status', '--porcelain'], { encoding: 'utf8' }),
      'A  .gitignore\n',
      place,
    );
  }
});

test('the lint of `make check` leaves folders alone that are not the project’s', async () => {
  const checkout = await temporaryFolder();
  execFileSync('git', ['init', '--quiet', checkout]);
  for (const name of ['.gitignore', 'biome.json', 'package.json'])
    await copyFile(join(ROOT, name), join(checkout, name));
  // As JSON.stringify writes a manifest: not as the formatter would.
  for (const folder of ['mine', 'data/train', 'model', 'out']) {
    await mkdir(join(checkout, folder), { recursive: true });
    await writeFile(join(checkout, folder, 'manifest.json'), '{"labels": [\n"content"]\n}');
  }
  const { status, stderr } = spawnSync(join(ROOT, 'node_modules/.bin/biome'), ['ci', '.'], {
    cwd: checkout,
    encoding: 'utf8',
  });
  assert.equal(status, 0, stderr);
});
