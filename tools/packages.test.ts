import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join, posix } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { z } from 'zod';

/** What each workspace would ship: docs/decisions/017. */
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const SHIPS = ['shared', 'edge', 'hub', 'trainer'] as const;
/** Programs and pages that are opened by their path, and so would be missed by nobody until someone starts them. */
const OPENED = {
  shared: [],
  edge: ['dist/main.js', 'dist/runtime.js', 'dist/detect.js', 'dist/inference/worker.js', 'status/page.html'],
  hub: ['bin/adbreak.js', 'dist/cli/main.js', 'http/dashboard.html'],
  trainer: ['dist/main.js', 'dist/weights/keras-h5-worker.js'],
} as const satisfies Record<(typeof SHIPS)[number], readonly string[]>;
const NEVER =
  /(^|\/)(testing|bench|demo|attack)(\/|\.)|(^|\/)fixtures\.|\.test\.|\.map$|^dist\/store\/contract\./;

const packed = z.array(z.object({ files: z.array(z.object({ path: z.string() })) })).length(1);
const manifest = z.object({
  private: z.boolean().optional(),
  dependencies: z.record(z.string(), z.string()).default({}),
});

async function packageOf(workspace: string): Promise<string[]> {
  const { stdout } = await promisify(execFile)(
    'npm',
    ['pack', '--dry-run', '--json', '--ignore-scripts', '--offline', '--workspace', workspace],
    { cwd: ROOT, maxBuffer: 16 * 1024 * 1024, env: { ...process.env, npm_config_update_notifier: 'false' } },
  );
  const [{ files } = { files: [] }] = packed.parse(JSON.parse(stdout));
  return files.map(({ path }) => path);
}

/** The modules that a compiled file imports: of its own package by their path in it, of the others as `shared:dist/…`. */
function importsOf(path: string, text: string): string[] {
  return [...text.matchAll(/^(?:import|export)(?:[^'"=;]*\bfrom)? ['"]([^'"]+)['"];$/gm)].flatMap(
    ([, name = '']) => {
      if (name.startsWith('.')) return posix.normalize(posix.join(dirname(path), name));
      const [, workspace, file] = /^@adbreak\/([a-z]+)\/(.*)$/.exec(name) ?? [];
      return workspace === undefined ? [] : `${workspace}:dist/${file}`;
    },
  );
}

const manifestOf = async (workspace: string) =>
  manifest.parse(JSON.parse(await readFile(join(ROOT, workspace, 'package.json'), 'utf8')));

test('no package holds a test, a helper of tests, a benchmark or the demo, and none lacks what it imports', async () => {
  const lists = new Map(
    await Promise.all(
      SHIPS.map(async (workspace) => [workspace as string, new Set(await packageOf(workspace))] as const),
    ),
  );
  for (const workspace of SHIPS) {
    const files = lists.get(workspace) ?? new Set();
    const wrong = [...files].filter((path) => NEVER.test(path));
    assert.deepEqual(wrong, [], `${workspace} would ship what never ships`);
    for (const path of OPENED[workspace]) assert.ok(files.has(path), `${workspace} would not ship ${path}`);
    let imports = 0;
    for (const path of [...files].filter((file) => file.startsWith('dist/') && file.endsWith('.js'))) {
      const source = path.replace(/^dist\/(.*)\.js$/, '$1.ts');
      assert.ok(
        existsSync(join(ROOT, workspace, source)),
        `${workspace}/${path} has no source: run make clean`,
      );
      for (const name of importsOf(path, await readFile(join(ROOT, workspace, path), 'utf8'))) {
        imports += 1;
        const [other, file] = name.includes(':') ? name.split(':') : [workspace, name];
        assert.ok(
          lists.get(other ?? '')?.has(file ?? ''),
          `${workspace}/${path} imports ${name}, which does not ship`,
        );
      }
    }
    assert.ok(imports > 50, `${workspace}: only ${imports} imports were found`);
  }
});

test('nobody depends on the tools, and a Pi needs edge and shared alone', async () => {
  assert.equal((await manifestOf('tools')).private, true);
  for (const workspace of SHIPS) {
    const ours = Object.keys((await manifestOf(workspace)).dependencies).filter((name) =>
      name.startsWith('@adbreak/'),
    );
    assert.deepEqual(ours, workspace === 'shared' ? [] : ['@adbreak/shared'], workspace);
  }
});
