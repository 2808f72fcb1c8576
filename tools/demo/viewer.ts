import { readFile } from 'node:fs/promises';
import { explain } from '@adbreak/shared/errors.js';
import { labelOf, parseLabels } from '@adbreak/shared/video/labels.js';
import { fetch } from 'undici';
import { z } from 'zod';

const LARGER_PART = 0.5;
const ended = z.object({ id: z.number(), start: z.number(), end: z.number() });

/**
 * The person before the status page, who knows the broadcast's ground truth: hears of each ended episode and answers A
 * or C through the page's own interface. An episode that is part ad, part programme gets the answer of its larger part.
 */
export async function watchAndLabel(
  statusUrl: string,
  truthPath: string,
  framePeriod: number,
  signal: AbortSignal,
): Promise<void> {
  const spans = parseLabels(await readFile(truthPath, 'utf8'));
  const stream = await fetch(new URL('/api/stream', statusUrl), { signal });
  if (stream.body === null) return;
  try {
    let kind = '';
    for await (const line of linesOf(stream.body)) {
      if (line.startsWith('event: ')) kind = line.slice(7);
      if (!line.startsWith('data: ') || kind !== 'episode') continue;
      const { id, start, end } = ended.parse(JSON.parse(line.slice(6)));
      const label = labelOf(spans, start, end + framePeriod, LARGER_PART);
      if (label === null) continue;
      await fetch(new URL('/api/labels', statusUrl), {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ episode: id, label }),
        signal,
      }).then((answer) => answer.arrayBuffer());
    }
  } catch (error) {
    if (!signal.aborted) console.error(`the viewer of ${statusUrl} stopped: ${explain(error)}`);
  }
}

/** Lines of a byte stream; an aborted stream ends in an exception here, not in an event that nobody hears. */
async function* linesOf(stream: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
}
