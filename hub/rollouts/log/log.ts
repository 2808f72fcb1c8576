import { parseJson } from '@adbreak/shared/contract/parse.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { brokenBy, type Head, type Link, NO_LINKS } from '../../store/chain.js';
import type { Store } from '../../store/store.js';
import { EVENT_LIMIT, type RolloutEvent, rolloutEvent } from '../events.js';
import { chainedLine } from './log-file.js';

/** The logs of rollouts, as the store keeps them: what happened, in order, each event tied to the one before. */
export class RolloutLog {
  readonly #store: Pick<Store, 'events' | 'newest'>;

  constructor(store: Pick<Store, 'events' | 'newest'>) {
    this.#store = store;
  }

  /** Throws `state_corrupt` with the first event that was changed, deleted or inserted. */
  async *read(rollout: string): AsyncGenerator<RolloutEvent> {
    // As many as were written when somebody asked; more may come while it is read.
    const { number } = this.#store.newest(rollout);
    let head: Head = NO_LINKS;
    for await (const one of this.#store.events(rollout)) {
      const broken = brokenBy(head, one);
      if (broken !== null) throw damaged(rollout, `event ${one.number} ${broken}`);
      head = one;
      yield parseJson(
        rolloutEvent,
        one.body,
        EVENT_LIMIT,
        `event ${one.number} of rollout ${rollout}`,
        'state_corrupt',
      );
    }
    if (head.number < number)
      throw damaged(rollout, `it ends at event ${head.number}, and ${number} were written`);
  }

  /** The log as `adbreak rollouts replay` reads it, a line for each event with its place in the chain. What was changed is found there. */
  async lines(rollout: string): Promise<AsyncGenerator<string>> {
    const newest = this.#store.newest(rollout);
    let last: Link | null = null;
    // Events may be written while they are read: those after it are none of its business.
    for await (const one of this.#store.events(rollout, newest.number - 1)) {
      last = one;
      break;
    }
    if (newest.number > 0 && (last === null || last.hash !== newest.hash))
      throw damaged(rollout, `its last event, number ${newest.number}, is not there as it was written`);
    return toLines(this.#store.events(rollout), newest.number);
  }
}

/** As far as the log went when somebody asked. */
async function* toLines(links: AsyncIterable<Link>, upTo: number): AsyncGenerator<string> {
  for await (const one of links) if (one.number <= upTo) yield `${chainedLine(one, one.body)}\n`;
}

function damaged(rollout: string, why: string): AdbreakError {
  return new AdbreakError('state_corrupt', `Cannot read the log of rollout ${rollout}: ${why}`, {
    remedy: 'Somebody has written to the database beside the hub: compare it with a backup.',
  });
}
