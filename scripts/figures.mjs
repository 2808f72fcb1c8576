// `npm run figures [-- FOLDER]`: how long files, functions and lines are, and which folder imports which, of this checkout
// or of another one. Tests and their helpers are counted apart; what is generated or compiled is left out.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix, resolve } from 'node:path';
import ts from 'typescript';

const ROOT = resolve(process.argv[2] ?? '.');
const WORKSPACES = ['shared', 'edge', 'hub', 'trainer', 'tools'];
const LONG_FILE = 400;
const LONG_LINE = 120;
const SIDE = /\.test\.ts$|(^|\/)testing(\/|\.ts$)|(^|\/)fixtures\.ts$|^hub\/store\/contract\.ts$/;
const NEVER_SHIPS = /^tools\/|^(hub|trainer)\/(bench|demo)\//;

function sourcesBelow(folder) {
  return readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = posix.join(folder, entry.name);
    if (entry.isDirectory()) return ['dist', 'node_modules'].includes(entry.name) ? [] : sourcesBelow(path);
    return entry.name.endsWith('.ts') && !entry.name.endsWith('.d.ts') ? [path] : [];
  });
}

const present = new Set(readdirSync(ROOT));
const files = WORKSPACES.filter((name) => present.has(name))
  .flatMap(sourcesBelow)
  .map((path) => {
    const text = readFileSync(join(ROOT, path), 'utf8');
    const tree = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
    return { path, tree, lines: text.trimEnd().split('\n') };
  });

/** Lines of each function, method and arrow that has a body of statements; one inside another counts in both. */
function functionLengths({ tree }) {
  const lengths = [];
  const lineOf = (position) => tree.getLineAndCharacterOfPosition(position).line;
  (function visit(node) {
    if (ts.isFunctionLike(node) && node.body !== undefined && ts.isBlock(node.body))
      lengths.push(lineOf(node.end) - lineOf(node.getStart()) + 1);
    ts.forEachChild(node, visit);
  })(tree);
  return lengths;
}

function share(values, part) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? 0;
}

function figures(name, chosen) {
  const lengths = chosen.map(({ lines }) => lines.length);
  const functions = chosen.flatMap(functionLengths);
  const all = chosen.flatMap(({ lines }) => lines);
  const long = all.filter((line) => line.length > LONG_LINE).length;
  return [
    name,
    chosen.length,
    all.length,
    [0.5, 0.9, 1].map((part) => share(lengths, part)).join(' / '),
    chosen.filter(({ lines }) => lines.length > LONG_FILE).length,
    [0.5, 0.9, 0.99, 1].map((part) => share(functions, part)).join(' / '),
    `${long} (${((1000 * long) / all.length).toFixed(1)} ‰)`,
  ];
}

/** The folder of a file; a file at the root of a workspace is a room of its own. */
const roomOf = (path) => (path.split('/').length > 2 ? dirname(path) : path);

function importsOf({ path, tree }) {
  return tree.statements.flatMap((statement) => {
    const name = statement.moduleSpecifier?.text;
    if (name?.startsWith('.')) return [posix.join(dirname(path), name)];
    return name?.startsWith('@adbreak/') ? [name.slice('@adbreak/'.length)] : [];
  });
}

const product = files.filter(({ path }) => !SIDE.test(path) && !NEVER_SHIPS.test(path));
const aside = files.filter(({ path }) => NEVER_SHIPS.test(path) && !path.endsWith('.test.ts'));
const tests = files.filter(({ path }) => SIDE.test(path));
const rows = [
  [
    '',
    'files',
    'lines',
    'file: median / p90 / max',
    `over ${LONG_FILE}`,
    'function: median / p90 / p99 / max',
    `lines over ${LONG_LINE}`,
  ],
  figures('what ships', product),
  figures('demo, benchmarks, attacks', aside),
  figures('tests and helpers', tests),
];
const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => String(row[column]).length)));
for (const row of rows)
  console.log(
    row
      .map((cell, i) => String(cell).padEnd(widths[i]))
      .join('  ')
      .trimEnd(),
  );
console.log(`\nfiles over ${LONG_FILE} lines:`);
for (const { path, lines } of files.filter((file) => file.lines.length > LONG_FILE))
  console.log(`  ${path} ${lines.length}`);

const arrows = new Map();
for (const file of [...product, ...aside])
  for (const target of importsOf(file)) {
    const [from, to] = [roomOf(file.path), roomOf(target.replace(/\.js$/, '.ts'))];
    if (from === to) continue;
    const row = arrows.get(from) ?? arrows.set(from, new Map()).get(from);
    row.set(to, (row.get(to) ?? 0) + 1);
  }
console.log('\nimports between rooms (number of imports), tests and their helpers left out:');
for (const [from, targets] of [...arrows].sort(([a], [b]) => a.localeCompare(b))) {
  const [own] = from.split('/');
  const inside = [...targets]
    .filter(([to]) => to.startsWith(`${own}/`))
    .sort(([a], [b]) => a.localeCompare(b));
  const others = [...targets].filter(([to]) => !to.startsWith(`${own}/`));
  const sums = new Map();
  for (const [to, count] of others) sums.set(to.split('/')[0], (sums.get(to.split('/')[0]) ?? 0) + count);
  const told = [
    ...inside.map(([to, count]) => `${to.slice(own.length + 1)} ${count}`),
    ...[...sums].map(([to, count]) => `${to}: ${count}`),
  ];
  console.log(`  ${from.padEnd(22)} -> ${told.join(', ')}`);
}
