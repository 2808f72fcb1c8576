import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** What the parts of the demo agree on. */
export const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
export const FOLDER = resolve('.work/demo');
export const MODEL = 'base-ad-detector';
export const FPS = 2;
/** Two of them watch the same channel, as living rooms do: they see the same episodes, which count once. */
export const AGENTS = [
  { device: 'pi-news', channel: 'one' },
  { device: 'pi-sports', channel: 'arena' },
  { device: 'pi-kitchen', channel: 'arena' },
] as const;
export const CHANNELS = [...new Set(AGENTS.map(({ channel }) => channel))];
export const broadcastOf = (channel: string) => join(FOLDER, `channel-${channel}`);
/**
 * Agents look as fast as they can, and a gate's days are seconds on the clock: a broadcast of 1300 s was over after 62 s on
 * an idle machine, before a rollback had its five days. The small network is several times as fast again.
 */
export const SECONDS = { training: 260, broadcast: { pretrained: 4000, scratch: 8000 } };
/** A gate that has not decided by then will not: something is broken. */
export const PATIENCE_MS = 240_000;

const started = Date.now();
export const secondsSoFar = () => Math.round((Date.now() - started) / 1000);
export const say = (line: string) =>
  console.log(`${((Date.now() - started) / 1000).toFixed(0).padStart(4)} s  ${line}`);
