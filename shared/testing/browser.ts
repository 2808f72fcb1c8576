import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { type Browser, chromium } from 'playwright-core';
import { AdbreakError } from '../errors.js';

const CHROMIUM = '/usr/bin/chromium';
/** Where tests keep what a page showed; there once a browser was opened. */
export const SHOTS = '.work/screenshots';
/** It talks to this machine alone. */
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
] as const;

/** Debian's Chromium, for pages as people see them. Throws `chromium_missing`: a test without it must not look like a pass. */
export async function openBrowser(...flags: readonly string[]): Promise<Browser> {
  if (!existsSync(CHROMIUM))
    throw new AdbreakError('chromium_missing', `Cannot test the page: there is no ${CHROMIUM}`);
  await mkdir(SHOTS, { recursive: true });
  return chromium.launch({ executablePath: CHROMIUM, args: [...FLAGS, ...flags] });
}
