import { callHub, type HubAddress } from '@adbreak/hub/cli/client.js';
import { publish } from '@adbreak/hub/testing/chain.js';
import { MODEL } from '@adbreak/hub/testing/state.js';
import { AdbreakError, explain } from '@adbreak/shared/errors.js';
import type { Random } from '@adbreak/shared/random.js';
import { isActive, overviewOf, type RolloutView } from './overview.js';
import type { Cause } from './steps.js';

/** A rollout that has lived through so many hubs is replaced, so that logs stay short. */
const OLD = 14;

/** People's orders over HTTP, at random; the hub dies under them, and what it refuses is refused. */
export class Operator {
  readonly #random: Random;
  readonly #complain: (line: string) => void;
  readonly #hubs = new Map<string, number>();

  constructor(random: Random, complain: (line: string) => void) {
    this.#random = random;
    this.#complain = complain;
  }

  /** One order of the kind that is needed, or anything. */
  async act(hub: HubAddress, wish: Cause | null): Promise<void> {
    try {
      const { rollouts, models } = await overviewOf(hub);
      const active = rollouts.filter(isActive);
      for (const { id } of active) this.#hubs.set(id, (this.#hubs.get(id) ?? 0) + 1);
      const [one] = active;
      const versions = Object.keys(models[MODEL]?.versions ?? {});
      if (one === undefined || wish === 'start') return await this.#begin(hub, versions, one !== undefined);
      if ((this.#hubs.get(one.id) ?? 0) > OLD) return await this.#begin(hub, versions, true);
      await this.#order(hub, wish, one, versions);
    } catch (error) {
      this.#note(error);
    }
  }

  /** A hub that dies answers nobody, and what does not fit is refused; but a hub that fails inside says so, and that is a finding. */
  #note(error: unknown): void {
    if (!(error instanceof AdbreakError)) this.#complain(`an order failed: ${explain(error)}`);
    else if (error.code === 'internal' || error.code === 'state_corrupt')
      this.#complain(`the hub failed at an order: ${explain(error)}`);
  }

  async #begin(hub: HubAddress, versions: readonly string[], supersede: boolean): Promise<void> {
    const compare = !supersede && this.#random.uniform() < 0.3;
    const fresh = Array.from({ length: compare ? 2 : 1 }, (_, i) => `1.0.${versions.length + i}`);
    for (const version of fresh) await publish(hub, version, 1, { promote: false });
    if (compare)
      await callHub(hub, '/api/v1/rollouts/compare', {
        method: 'POST',
        json: { model: MODEL, versions: fresh },
      });
    else
      await callHub(hub, `/api/v1/models/${MODEL}/versions/${fresh[0]}/promote`, {
        method: 'POST',
        json: { supersede },
      });
  }

  async #order(
    hub: HubAddress,
    wish: Cause | null,
    { id, status }: RolloutView,
    versions: readonly string[],
  ): Promise<void> {
    const post = (order: string) =>
      callHub(hub, `/api/v1/rollouts/${id}/${order}`, { method: 'POST', json: { reason: 'the crash test' } });
    const chance = this.#random.uniform();
    if (status === 'paused' || status === 'suspended') await post('resume');
    else if (wish === 'decision' || chance < 0.25)
      await post(status === 'watching' || chance < 0.1 ? 'abort' : 'force');
    else if (chance < 0.35) await post('pause');
    else if (chance < 0.42) await post('abort');
    else if (chance < 0.5) await this.#begin(hub, versions, true);
    else if (chance < 0.6)
      await callHub(hub, '/api/v1/devices/pi-1/tags', {
        method: 'PUT',
        json: { tags: { room: `r${this.#random.integer(9)}` } },
      });
  }
}
