// Whatever a file cites must be here: each document by its name, each section by its title, each decision by its number.
// A citation is `docs/gate.md`, `docs/gate.md, "Slices" and "Broken units"`, `docs/decisions/009`, or a link of Markdown.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const TEXT = /(^|\/)(Makefile|\.gitignore)$|\.(cjs|css|html|js|json|md|mjs|py|service|sh|ts|yaml|yml)$/;
const SKIPPED = new Set(['node_modules', 'dist', 'package-lock.json']);
/** At the root hidden files count, such as the boundaries; hidden folders are git's, or what the tools keep. */
const isOurs = (entry) => !SKIPPED.has(entry.name) && !(entry.isDirectory() && entry.name.startsWith('.'));

function filesBelow(folder) {
  return readdirSync(join(ROOT, folder), { withFileTypes: true })
    .filter(isOurs)
    .flatMap((entry) =>
      entry.isDirectory()
        ? filesBelow(join(folder, entry.name))
        : entry.isFile()
          ? [join(folder, entry.name)]
          : [],
    );
}

const files = filesBelow('.').filter((file) => TEXT.test(file));
const documents = new Map(
  files.filter((file) => file.endsWith('.md')).map((file) => [file, titlesOf(read(file))]),
);

function read(file) {
  return readFileSync(join(ROOT, file), 'utf8');
}
function titlesOf(markdown) {
  return new Set(
    [...markdown.replace(/^```[\s\S]*?^```$/gm, '').matchAll(/^#{1,6} (.+)$/gm)].map(([, title]) =>
      title.trim(),
    ),
  );
}
/** As GitHub makes it of a title. */
function anchorOf(title) {
  return title
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');
}
/** Comments break where a line is full: the break and what begins the next line become blanks, so that places stay. */
function unwrapped(text) {
  return text.replace(/\n[ \t]*(?:\*|\/\/|#)?(?=[ \t])/g, (gap) => ' '.repeat(gap.length));
}
/** A document by the end of its path; a test names it from the folder it is compiled to. */
function documentOf(cited) {
  const name = cited.replace(/^(\.{1,2}\/)+/, '');
  return [...documents.keys()].find((file) => file === name || file.endsWith(`/${name}`));
}

const CITED =
  /(?<![\w./-])((?:\.{1,2}\/)*[\w.-]+(?:\/[\w.-]+)*\.md)\b(?:#[\w-]+)?\)?((?:(?:,|,? and)\s+"[^"\n]{2,80}")*)/g;
const DECISION = /\bdocs\/decisions\/(\d{3})(?![\w-])/g;
const LINK = /\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)/g;

function* troublesOf(file) {
  const text = unwrapped(read(file));
  for (const { 1: cited, 2: sections, index } of text.matchAll(CITED)) {
    const document = documentOf(cited);
    if (document === undefined) yield [index, `cites ${cited}, which is not in the repository`];
    else
      for (const [, section] of sections.matchAll(/"([^"]+)"/g)) {
        const title = section.replace(/\s+/g, ' ');
        if (!documents.get(document).has(title))
          yield [index, `cites "${title}", which ${document} does not have`];
      }
  }
  for (const { 1: number, index } of text.matchAll(DECISION))
    if (![...documents.keys()].some((document) => document.startsWith(`docs/decisions/${number}-`)))
      yield [index, `cites decision ${number}, which is not there`];
  if (!file.endsWith('.md')) return;
  for (const { 1: path, 2: anchor, index } of text.matchAll(LINK)) {
    const target = path === '' ? file : normalize(join(dirname(file), path));
    if (!existsSync(join(ROOT, target))) yield [index, `links to ${path}, which is not there`];
    else if (
      anchor !== undefined &&
      ![...(documents.get(target) ?? [])].some((title) => anchorOf(title) === anchor)
    )
      yield [index, `links to #${anchor}, which ${target} does not have`];
  }
}

const lineOf = (file, index) => read(file).slice(0, index).split('\n').length;
const troubles = files.flatMap((file) =>
  [...troublesOf(file)].map(([index, what]) => `${file}:${lineOf(file, index)}: ${what}`),
);
for (const trouble of troubles) console.error(trouble);
console.log(
  `documents: ${documents.size} documents, ${files.length} files that may cite them, ${troubles.length} citations that lead nowhere`,
);
if (troubles.length > 0) process.exitCode = 1;
