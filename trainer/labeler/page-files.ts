import { readFile, realpath } from 'node:fs/promises';
import { extname, join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Where the workspace web/ builds the page. */
export const PAGE_FOLDER = fileURLToPath(new URL('../../../web/dist/labeler', import.meta.url));
/** No code and no style in the page's text; pieces are played out of memory. */
export const PAGE_POLICY = [
  "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' blob: data:",
  "media-src 'self' blob:; connect-src 'self'; worker-src 'self'; manifest-src 'self'",
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
].join('; ');

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
  '.webmanifest': 'application/manifest+json',
};
/** Names without hidden parts and without a way up. */
const NAME = /^(?:\w[\w.-]*\/)*\w[\w.-]*$/;
const UNBUILT = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Adbreak: labelling</title>
<h1>The labelling page is not built</h1>
<p>The server runs. Build its page with <code>make setup</code>, or <code>npm run build -w web</code>, and load this again.</p></html>
`;

export interface PageFile {
  readonly type: string;
  readonly data: Uint8Array | string;
  /** Its name says what is in it (a digest): it never changes. */
  readonly isFixed: boolean;
}

/** A file of the page; null where there is none. The page itself says how to build it where it is not built. */
export async function pageFile(name: string, folder = PAGE_FOLDER): Promise<PageFile | null> {
  const path = name === '' ? 'index.html' : name;
  const type = TYPES[extname(path)];
  if (type === undefined || !NAME.test(path)) return null;
  const data = await readInside(folder, path);
  if (data !== null) return { type, data, isFixed: path.startsWith('assets/') };
  return path === 'index.html' ? { type, data: UNBUILT, isFixed: false } : null;
}

async function readInside(folder: string, name: string): Promise<Uint8Array | null> {
  try {
    const [root, real] = [await realpath(folder), await realpath(join(folder, name))];
    return real.startsWith(root + sep) ? await readFile(real) : null;
  } catch {
    return null;
  }
}
