import assert from 'node:assert/strict';
import { readFile, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { SHOTS } from '@adbreak/shared/testing/browser.js';
import { until } from '@adbreak/shared/testing/until.js';
import type { Browser, Page } from 'playwright-core';
import { z } from 'zod';

export interface Complaint {
  readonly text: string;
  /** What could not be loaded, or the script that complains. */
  readonly url: string;
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** A page, and everything that it and later pages of its context complain of: nothing, in a test that passes. */
export async function openPage(
  browser: Browser,
  url: string,
): Promise<{ page: Page; complaints: Complaint[] }> {
  const context = await browser.newContext({ viewport: { width: 1360, height: 900 } });
  const page = await context.newPage();
  const complaints: Complaint[] = [];
  context.on('weberror', (error) =>
    complaints.push({ text: String(error.error()), url: '', at: Date.now() }),
  );
  context.on('console', (message) => {
    if (message.type() !== 'error') return;
    complaints.push({ text: message.text(), url: message.location().url, at: Date.now() });
  });
  await page.goto(url);
  return { page, complaints };
}

export async function screenshot(page: Page, name: string): Promise<void> {
  const path = join(SHOTS, `labels-${name}.png`);
  await page.screenshot({ path });
  assert.ok((await stat(path)).size > 10_000, `${path} shows something`);
}

/** Until something shows that fits; the page's policy forbids it to poll by itself. */
export const shows = (page: Page, selector: string, words: RegExp) =>
  page.locator(selector).filter({ hasText: words }).first().waitFor({ timeout: 10_000 });
export const textOf = async (page: Page, selector: string) => (await page.textContent(selector)) ?? '';
export async function holds(page: Page, expression: string): Promise<void> {
  await until(expression, async () => (await page.evaluate(expression)) === true, 10);
}

const foundSchema = z.object({
  violations: z.array(
    z.object({
      id: z.string(),
      impact: z.string().nullable(),
      nodes: z.array(z.object({ html: z.string() })),
    }),
  ),
});

/** Violations that axe calls serious or critical, in words. */
export async function severeViolations(page: Page): Promise<string[]> {
  const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
  await page.evaluate(axe);
  const { violations } = foundSchema.parse(
    await page.evaluate("axe.run(document, { resultTypes: ['violations'] })"),
  );
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, impact, nodes }) => `${impact} ${id}: ${nodes.map(({ html }) => html).join(' ')}`);
}
