import {
  COMMAND_LIMIT,
  canonicalCommand,
  deadlineRefusal,
  refusedBy,
} from '@adbreak/shared/contract/commands.js';
import {
  LEAST_ROLE,
  OPERATOR_DEADLINE_MS,
  type OperatorCommand,
  type OperatorReply,
  operatorCommand,
  operatorTopic,
  roleSuffices,
} from '@adbreak/shared/contract/operators.js';
import { parseJson } from '@adbreak/shared/contract/parse.js';
import { AdbreakError, explain, hasCode } from '@adbreak/shared/errors.js';
import type { Log } from '@adbreak/shared/log.js';
import { ownValue } from '@adbreak/shared/own-value.js';
import { SerialRunners } from '@adbreak/shared/serial-runner.js';
import { sha256 } from '@adbreak/shared/storage/atomic.js';
import { TokenBuckets } from '@adbreak/shared/token-bucket.js';
import type { OperatorCertificates } from '../identity/operator-certificates.js';
import { nameOf, type Person } from '../identity/secrets.js';
import { withOrigin } from '../store/origin.js';
import type { HubState } from '../store/state.js';
import type { AuditEntry } from '../store/store.js';
import { carryOut, DEEDS, type Hands, whatIs } from './carry-out.js';
import { doneReply } from './done-reply.js';
import type { Witnesses } from './witnesses.js';

interface Options extends Hands {
  readonly witnesses: Witnesses;
  readonly certificates: Pick<OperatorCertificates, 'personOf'>;
  /** Sends a reply to whoever listens for it. */
  readonly publish: (topic: string, payload: string) => Promise<void>;
  readonly now: () => Date;
  /** By which a name is forgotten: a clock that is ahead must not let a command be carried out twice. */
  readonly settled: () => Date;
  readonly log: Log;
}
/** Whose command it is, the certificate that was shown for it, and the address that it came from. */
interface By {
  readonly operator: string;
  readonly fingerprint: string;
  readonly from: string;
}
interface Named {
  readonly key: string;
  readonly said: string;
  /** Or why what was said is none. */
  readonly command: OperatorCommand | AdbreakError;
}

/** Commands of one operator, a minute. */
const ALLOWANCE = { burst: 60, perSecond: 1 };
const DAY_MS = 24 * 3_600_000;
/** Names of commands that are remembered of one operator: one a minute, for as long as names are kept at most. */
const MOST_NAMES = 3000;
const NAMES_OF = 1000;
/** The hub cannot write, or does not know whether it has: no acknowledgement, so the same command comes again. */
const CANNOT_WRITE = ['disk_full', 'state_unwritable', 'store_unreachable', 'hub_unreachable'] as const;

/**
 * What operators command over MQTT. The name of a command, what it said and its reply are one row, written in the
 * transaction that carries it out: whoever sends it again, over whichever connection and after whatever kill, hears the
 * same and moves nothing.
 */
export class OperatorCommands {
  readonly #options: Options;
  readonly #turns = new SerialRunners();
  readonly #rate = new TokenBuckets(ALLOWANCE, NAMES_OF);

  constructor(options: Options) {
    this.#options = options;
  }

  /**
   * Takes one command; resolves when its outcome and reply are on the disk, and rejects where the hub cannot write now.
   * Those of one operator are carried out in the order in which they came.
   */
  take({ operator, fingerprint, from }: By, id: string, payload: Uint8Array): Promise<void> {
    return this.#turns.run(operator, async () => {
      const who = this.#options.certificates.personOf(operator, fingerprint);
      if (who instanceof AdbreakError) throw who;
      const named = read(`${operator} ${id}`, payload);
      const reply = await withOrigin({ from, request: id }, () => this.#reply(who, named));
      // It is on the disk: who has lost it sends the same command again.
      await this.#options
        .publish(operatorTopic(operator, 'replies', id), JSON.stringify(reply))
        .catch((error: unknown) => this.#options.log(`${nameOf(who)}: ${explain(error)}`, { error }));
    });
  }

  /** Names of commands that can be begun no more. */
  async forget(): Promise<void> {
    const { store, settled } = this.#options;
    const over = Object.entries(store.state.operatorCommands).filter(
      ([, { forget }]) => Date.parse(forget) <= settled().getTime(),
    );
    if (over.length > 0)
      await store.change(({ operatorCommands }) => {
        for (const [key] of over) delete operatorCommands[key];
      });
  }

  async #reply(who: Person, named: Named): Promise<OperatorReply> {
    const { now } = this.#options;
    const known = this.#known(named.key);
    if (known !== undefined)
      return known.said === named.said ? known.reply : refusedBy(otherContent(named.key), now());
    const many = this.#tooMany(who);
    // Not written down: the same command may come again when there is room.
    if (many !== null) return refusedBy(many, now());
    const { command } = named;
    if (command instanceof AdbreakError) return this.#refuse(named, command);
    const refusal = this.#refusal(who, command);
    if (refusal === null) return this.#carryOut(who, named, command);
    return this.#refuse(named, refusal, hasCode(refusal, 'forbidden') ? attempt(who, command) : undefined);
  }

  #known(key: string): HubState['operatorCommands'][string] | undefined {
    return ownValue(this.#options.store.state.operatorCommands, key);
  }

  #tooMany(who: Person): AdbreakError | null {
    const name = nameOf(who);
    const wait = this.#rate.take(who.id, 1, performance.now());
    if (wait > 0)
      return new AdbreakError(
        'too_many_requests',
        `Cannot take a command of ${name}: it has sent more than ${ALLOWANCE.burst} in a minute`,
        { remedy: `Send it again in ${Math.ceil(wait / 1000)} s.` },
      );
    const prefix = `${who.id} `;
    const names = Object.keys(this.#options.store.state.operatorCommands);
    if (names.filter((key) => key.startsWith(prefix)).length < MOST_NAMES) return null;
    return new AdbreakError(
      'too_many_requests',
      `Cannot take a command of ${name}: ${MOST_NAMES} of its commands are remembered`,
      {
        remedy:
          'Read the retained states of rollouts where you ask for `status`, and give shorter deadlines.',
      },
    );
  }

  #refusal(who: Person, command: OperatorCommand): AdbreakError | null {
    const what = whatIs(command);
    const late = deadlineRefusal(command, { now: this.#options.now(), what, mostMs: OPERATOR_DEADLINE_MS });
    if (late !== null || roleSuffices(who.role, command.command)) return late;
    return new AdbreakError(
      'forbidden',
      `Cannot ${what}: it needs the role ${LEAST_ROLE[command.command]}; operator ${who.id} has ${who.role}`,
      { remedy: `An administrator may change it: \`adbreak operators role ${who.id} ROLE\`.` },
    );
  }

  async #carryOut(who: Person, named: Named, command: OperatorCommand): Promise<OperatorReply> {
    const { store, witnesses, now, log } = this.#options;
    const { key, said } = named;
    const forget = forgetAt(Date.parse(command.deadline));
    const write = (state: HubState) => {
      state.operatorCommands[key] = { said, reply: doneReply(state, command, now()), forget };
    };
    try {
      const work = () => carryOut(this.#options, who, command);
      await witnesses.during(nameOf(who), DEEDS[command.command], write, work);
    } catch (error) {
      if (this.#known(key) === undefined) return this.#failed(who, named, error);
      // Done, and something after it was not: the next look makes that good.
      log(`${nameOf(who)}: ${explain(error)}`, { error });
    }
    if (this.#known(key) === undefined) await store.change(write);
    return this.#known(key)?.reply ?? doneReply(store.state, command, now());
  }

  #failed(who: Person, named: Named, error: unknown): Promise<OperatorReply> {
    if (hasCode(error, ...CANNOT_WRITE)) throw error;
    if (error instanceof AdbreakError) return this.#refuse(named, error);
    this.#options.log(`command ${named.key} of ${nameOf(who)} failed: ${explain(error)}`, { error });
    const internal = `Cannot carry the command out: a fault of the hub; its log says more under ${named.key}`;
    return this.#refuse(named, new AdbreakError('internal', internal));
  }

  async #refuse(named: Named, error: AdbreakError, audit?: AuditEntry): Promise<OperatorReply> {
    const { store, now } = this.#options;
    const at = now();
    const reply = refusedBy(error, at);
    const deadline =
      named.command instanceof AdbreakError ? at.getTime() : Date.parse(named.command.deadline);
    // Its deadline may be years ahead: that is why it is refused.
    const forget = forgetAt(Math.min(deadline, at.getTime() + OPERATOR_DEADLINE_MS), at);
    await store.change(({ operatorCommands }) => {
      operatorCommands[named.key] = { said: named.said, reply, forget };
    }, audit);
    return reply;
  }
}

/** A command and what it is remembered by; what is none is known by its bytes. */
function read(key: string, payload: Uint8Array): Named {
  try {
    const command = parseJson(operatorCommand, payload, COMMAND_LIMIT, `command ${key}`);
    return { key, said: sha256(canonicalCommand(command)), command };
  } catch (error) {
    if (error instanceof AdbreakError) return { key, said: sha256(payload), command: error };
    throw error;
  }
}

/** A day after what could begin it, and never at once: an answer may be asked for again. */
function forgetAt(deadline: number, now = new Date(deadline)): string {
  return new Date(Math.max(deadline, now.getTime()) + DAY_MS).toISOString();
}

function otherContent(key: string): AdbreakError {
  return new AdbreakError('conflict', `Cannot take command ${key}: another command has this name`, {
    remedy: 'Draw a new name for each command.',
  });
}

/** A refused attempt stands in the audit log. */
function attempt(who: Person, command: OperatorCommand): AuditEntry {
  const { command: what, ...asked } = command;
  return { who: nameOf(who), what: 'command.refused', subject: what, after: asked };
}
