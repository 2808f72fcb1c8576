import { evaluations as contracts } from '@adbreak/shared/contract/http/evaluations.js';
import { type Round, resultOf } from '../evaluations/round.js';
import { evaluationText } from '../evaluations/text.js';
import { nameOf } from '../identity/secrets.js';
import type { HttpContext } from './context.js';
import { knownModel } from './names.js';
import type { Register } from './route.js';

/** Federated rounds by hand, and their history. */
export function evaluationRoutes(register: Register, { store, evaluations }: HttpContext): void {
  register(contracts.start, async ({ who, body: { min_devices, ...body } }) => {
    knownModel(store.state, body.model, 'evaluate');
    const order = { ...body, minDevices: min_devices, who: nameOf(who), rollout: null };
    return roundView(await evaluations.start(order));
  });
  register(contracts.list, () => ({ evaluations: store.state.evaluations.map(roundView) }));
  register(contracts.show, ({ params }) => {
    const round = evaluations.find(params.id);
    return { ...roundView(round), text: evaluationText(round, resultOf(round)) };
  });
  register(contracts.cancel, async ({ who, params }) =>
    roundView(await evaluations.cancel(params.id, nameOf(who))),
  );
}

/** A round with its result; single devices' answers stay inside. */
export function roundView(round: Round) {
  const { answers, sum: _, cohort, ...rest } = round;
  return { ...rest, asked: cohort, answered: Object.keys(answers), result: resultOf(round) };
}
