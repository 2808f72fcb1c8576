import { setTimeout as sleep } from 'node:timers/promises';
import { callHub, type HubAddress } from '@adbreak/hub/cli/client.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { z } from 'zod';
import { AGENTS, FOLDER, MODEL, PATIENCE_MS, say } from './settings.js';

/** A secure federated round: 2.0.0 against 1.0.0 on what people labelled at the pages; no frame and no single count leaves a device. */
export async function askDevices(hub: HubAddress, signal: AbortSignal) {
  say(
    'a secure federated round over the frames that people labelled, which stayed on the devices: 1.0.0 beside 2.0.0',
  );
  const answer = z.object({
    id: z.string(),
    status: z.string(),
    text: z.string().optional(),
    result: z.object({
      answered: z.number(),
      episodes: z.number(),
      difference: z.object({ value: z.number(), low: z.number(), high: z.number() }).nullable(),
    }),
  });
  const started = answer.parse(
    await callHub(hub, '/api/v1/evaluations', {
      method: 'POST',
      json: {
        model: MODEL,
        candidate: '1.0.0',
        quorum: AGENTS.length,
        min_devices: AGENTS.length,
        hours: 0.1,
        secure: true,
      },
    }),
  );
  for (const deadline = Date.now() + PATIENCE_MS; Date.now() < deadline; ) {
    await sleep(1000, undefined, { signal });
    const {
      status,
      text = '',
      result,
    } = answer.parse(await callHub(hub, `/api/v1/evaluations/${started.id}`));
    if (status !== 'closed') continue;
    for (const line of text.split('\n')) console.log(`        ${line}`);
    if (result.difference === null)
      throw new AdbreakError('conflict', `The round ${started.id} closed without a result`, {
        remedy: `Look at the logs in ${FOLDER}.`,
      });
    return { devices: result.answered, episodes: result.episodes, ...result.difference };
  }
  throw new AdbreakError(
    'conflict',
    `The round ${started.id} has not closed within ${PATIENCE_MS / 1000} s`,
    { remedy: `Look at the logs in ${FOLDER}.` },
  );
}
