import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

const folder = (name: string) => fileURLToPath(new URL(name, import.meta.url));

/** One page so far. Addresses are relative: a page does not know under which path it is served. */
export default defineConfig({
  root: folder('labeler'),
  base: './',
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    outDir: folder('dist/labeler'),
    emptyOutDir: true,
    target: 'es2023',
    // A picture as a data: address would need its own exception in the page's policy.
    assetsInlineLimit: 0,
    modulePreload: false,
  },
});
