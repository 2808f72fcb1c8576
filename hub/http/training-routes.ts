import { training } from '@adbreak/shared/contract/http/training.js';
import { nameOf } from '../identity/secrets.js';
import { LINES_KEPT } from '../training/notes.js';
import type { HttpContext } from './context.js';
import type { Register } from './route.js';
import { Turns } from './turns.js';

/** Each is a process that looks at a configuration, on a machine that has other things to do. */
export function trainingTurns(): Turns {
  return new Turns({ waiting: 4, ms: 60_000, again: 30, doing: 'look at the training now' });
}

/** Trainings on the hub's own machine. */
export function trainingRoutes(register: Register, { trainings }: HttpContext, turns: Turns): void {
  register(training.ask, async ({ who, body }) => {
    const end = await turns.take('');
    try {
      return await trainings.ask(body, nameOf(who));
    } finally {
      end();
    }
  });
  register(training.list, () => ({ jobs: trainings.list() }));
  register(training.show, ({ params: { id } }) => trainings.find(id));
  register(training.cancel, ({ who, params: { id } }) => trainings.cancel(id, nameOf(who)));
  register(training.log, async ({ params: { id } }) => {
    const lines = await trainings.logOf(id);
    return { lines: [...lines], cut: lines.length >= LINES_KEPT };
  });
}
