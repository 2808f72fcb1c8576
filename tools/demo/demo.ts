import { once } from 'node:events';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { callHub } from '@adbreak/hub/cli/client.js';
import { pushVersion } from '@adbreak/hub/cli/push.js';
import { readPlan } from '@adbreak/hub/rollouts/plan.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { type Interruption, onInterruption, runProgram } from '@adbreak/shared/program.js';
import { z } from 'zod';
import { startAgents, startHub } from './fleet.js';
import { fetchWeights, makeData, makeModels, renderBroadcasts } from './material.js';
import type { Part } from './processes.js';
import { rollOut, type View } from './rollout.js';
import { askDevices } from './round.js';
import { FOLDER, MODEL, ROOT, SECONDS, say, secondsSoFar } from './settings.js';

/**
 * `make demo`: the product's main job, on real parts, told as it happens. docs/architecture.md, "The demo".
 * Whatever ends the demo ends its parts: what they started ends with them, and their ports are free.
 */
async function main({ signal }: Interruption): Promise<void> {
  const parts: Part[] = [];
  const over = new AbortController();
  const stop = AbortSignal.any([signal, over.signal]);
  const endParts = () => Promise.all(parts.map((part) => part[Symbol.asyncDispose]()));
  // At once, and again when the story has ended: it may have been about to start another.
  signal.addEventListener('abort', () => void endParts(), { once: true });
  try {
    const result = await tell(parts, stop);
    console.log(JSON.stringify({ ...result, seconds: secondsSoFar() }));
    if (process.env['ONCE'] === '1') return;
    say('the hub and the agents go on, and their pages with them; Ctrl-C ends them');
    await once(signal, 'abort');
  } catch (error) {
    if (!signal.aborted)
      console.log(
        JSON.stringify({
          demo: 'failed',
          reason: error instanceof Error ? error.message : String(error),
          seconds: secondsSoFar(),
        }),
      );
    throw error;
  } finally {
    over.abort();
    await endParts();
  }
}

async function tell(parts: Part[], signal: AbortSignal) {
  await rm(FOLDER, { recursive: true, force: true });
  await mkdir(FOLDER, { recursive: true });
  say('three trainings, two rollouts and a round: some 10 minutes on two cores that are idle');
  const weights = await fetchWeights(signal);
  const data = await makeData(signal);
  // Training takes one core, rendering what the agents will watch takes the other.
  const [manifests] = await Promise.all([
    makeModels(data, signal),
    process.env['VIDEO'] === undefined ? renderBroadcasts(SECONDS.broadcast[weights], signal) : undefined,
  ]);

  const hub = await startHub(parts, signal);
  await pushVersion(hub, join(FOLDER, 'models/1.0.0'));
  await callHub(hub, `/api/v1/models/${MODEL}/versions/1.0.0/promote`, {
    method: 'POST',
    json: { is_production: true, status: 'production', rollout_percentage: 100 },
  });
  say('version 1.0.0 is in production');
  await startAgents(parts, hub, signal);
  const plan = await readPlan(join(ROOT, 'configs/rollouts/demo.yaml'));
  say(
    `the demo's own plan: margin ${100 * plan.margin} points, alpha ${plan.alphaPromote}; ${plan.stages.map((s) => `${s.name} ${s.percent} % ≥ ${s.minEpisodes} episodes`).join(', ')}`,
  );

  const second = await rollOut(hub, '2.0.0', signal);
  if (second.status !== 'completed')
    throw new AdbreakError(
      'conflict',
      `Version 2.0.0 was to be promoted; it is ${second.status}: ${second.last?.reason}`,
      {
        remedy: `Look at ${FOLDER}/hub.log.`,
      },
    );
  const third = await rollOut(hub, '3.0.0', signal);
  if (third.status !== 'rolled-back')
    throw new AdbreakError(
      'conflict',
      `Version 3.0.0 was to be rolled back; it is ${third.status}: ${third.last?.reason}`,
      {
        remedy: `Look at ${FOLDER}/hub.log.`,
      },
    );
  const round = await askDevices(hub, signal);
  const state = z
    .object({ models: z.record(z.string(), z.object({ production: z.string().nullable() })) })
    .parse(await callHub(hub, '/api/v1/overview'));
  // The decision that counts: the completion, or the fall; the end of the watch says nothing of the model.
  const told = (one: View) => ({
    version: one.to.version,
    episodes: one.episodes,
    reason: one.history.findLast(({ verdict }) => verdict === 'PASS' || verdict === 'FAIL')?.reason ?? '',
  });
  return {
    demo: 'passed',
    production: state.models[MODEL]?.production,
    promoted: told(second),
    rolledBack: told(third),
    round,
    f1: Object.fromEntries(
      manifests.map(({ version, metrics }) => [version, Math.round(metrics.f1 * 1000) / 1000]),
    ),
  };
}

const interruption = onInterruption();
await runProgram(() => main(interruption), interruption);
