import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { About } from '@adbreak/shared/log.js';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import type { HubAddress } from './cli/client.js';
import { type HubOptions, type RunningHub, startHub } from './hub.js';

export interface TestHub extends HubAddress {
  readonly running: RunningHub;
  readonly folder: string;
  readonly log: string[];
  /** What each line of the log is about. */
  readonly about: About[];
}

/** A whole hub on free ports of the loopback, in a temporary folder. */
export async function testHub(
  t: TestContext,
  options: Partial<
    Pick<
      HubOptions,
      'now' | 'folder' | 'certificates' | 'httpPort' | 'mqttPort' | 'local' | 'tick' | 'training'
    >
  > = {},
): Promise<TestHub> {
  const folder = options.folder ?? (await temporaryFolder());
  const log: string[] = [];
  const about: About[] = [];
  const running = await startHub({
    folder,
    host: '127.0.0.1',
    httpPort: options.httpPort ?? 0,
    mqttPort: options.mqttPort ?? 0,
    names: [],
    strict: true,
    tick: options.tick ?? '* * * * * *',
    log: (line, what = {}) => {
      log.push(line);
      about.push(what);
    },
    planPath: fileURLToPath(new URL('../../configs/rollouts/demo.yaml', import.meta.url)),
    rollbackPlanPath: fileURLToPath(new URL('../../configs/rollouts/rollback.yaml', import.meta.url)),
    ...(options.now && { now: options.now }),
    ...(options.local && { local: options.local }),
    ...(options.training && { training: options.training }),
    ...(options.certificates && { certificates: options.certificates }),
  });
  t.after(() => running[Symbol.asyncDispose]());
  return {
    running,
    folder,
    log,
    about,
    hub: `https://127.0.0.1:${running.httpPort}`,
    token: running.firstToken ?? '',
    authority: running.authority,
  };
}
