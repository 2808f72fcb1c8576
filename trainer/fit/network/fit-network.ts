import { seeded } from '@adbreak/shared/random.js';
import { foldBatchNorm } from '../../convert/optimise/fold.js';
import type { Graph } from '../../nn/graph.js';
import type { EpochRecord } from '../../ports.js';
import { openBackend } from '../backend.js';
import { begun, type FitState, isOver, judged, lostItsWay } from '../fit-state.js';
import { adamStep, copyOf, type Learnt, rateAt, type Schedule } from '../optimizer.js';
import { type Lesson, type Measured, Network, type ReadOut } from './network.js';

export interface NetworkSettings extends Schedule {
  readonly seed: number;
  readonly batchSize: number;
  /** Epochs without a better validation loss before the end; null: never. */
  readonly patience: number | null;
  /** What the records are of. */
  readonly stage: 'cut' | 'all';
}
export interface NetworkHooks {
  readonly from?: FitState;
  /** What the label is read out by in the beginning; drawn by chance where nothing is said. */
  readonly readOut?: ReadOut;
  readonly onBatch?: (lessons: number) => void;
  readonly onEpoch?: (record: EpochRecord, state: FitState) => Promise<void> | void;
  readonly signal?: AbortSignal;
}

/**
 * Trains every number of a graph (… -> features [1, width]) with a linear read-out of the label, and with a
 * teacher one of its features, which are dropped in the end. Adam; batch normalizations, where the graph has
 * them, by the batch's statistics. Gives the graph with the numbers of the epoch that was the best on
 * validation; of one that begins with a read-out that was fitted before perhaps its own. Throws
 * `training_failed`, saying where, when the loss is no number any more.
 */
export async function fitNetwork(
  graph: Graph,
  lessons: readonly Lesson[],
  validation: readonly Lesson[],
  settings: NetworkSettings,
  hooks: NetworkHooks = {},
): Promise<Graph> {
  const { layers } = await openBackend();
  const network = new Network(graph, lessons[0]?.features?.length ?? 0, layers);
  let state = hooks.from ?? (await beginning(network, validation, settings, hooks));
  while (!isOver(state, settings.epochs, settings.patience)) {
    const started = performance.now();
    const { learnt, ...trained } = await trainEpoch(network, lessons, state, settings, hooks);
    const { loss, right } = await measured(network, learnt, validation, settings, hooks.signal);
    const record: EpochRecord = {
      stage: settings.stage,
      epoch: state.epoch + 1,
      epochs: settings.epochs,
      ...trained,
      validationLoss: loss,
      validationAccuracy: right,
      seconds: (performance.now() - started) / 1000,
    };
    state = judged(state, learnt, record, 'network');
    await hooks.onEpoch?.(record, state);
  }
  return network.graphOf(state.best);
}

/**
 * With a read-out that was fitted before, what is there already is the first to beat: the best may be no
 * epoch at all.
 */
async function beginning(
  network: Network,
  validation: readonly Lesson[],
  settings: NetworkSettings,
  { readOut, signal }: NetworkHooks,
): Promise<FitState> {
  const state = begun(network.initial(settings.seed, readOut));
  if (readOut === undefined) return state;
  const { loss } = await measured(network, state, validation, settings, signal);
  return { ...state, bestLoss: loss };
}

async function trainEpoch(
  network: Network,
  lessons: readonly Lesson[],
  state: FitState,
  settings: NetworkSettings,
  { onBatch, signal }: NetworkHooks,
): Promise<Pick<EpochRecord, 'trainLoss' | 'trainAccuracy' | 'learningRate'> & { readonly learnt: Learnt }> {
  const epoch = state.epoch + 1;
  const order = seeded(`network/${settings.seed}/${epoch}`).shuffle(lessons);
  const steps = Math.ceil(order.length / settings.batchSize);
  // The state stays as it was: an epoch that is interrupted has not been.
  const learnt = copyOf(state);
  let [loss, right, rate] = [0, 0, 0];
  for (let batch = 0; batch < steps; batch++) {
    const members = order.slice(batch * settings.batchSize, (batch + 1) * settings.batchSize);
    const step = (epoch - 1) * steps + batch;
    rate = rateAt(step, steps, settings);
    const result = network.gradient(learnt.values, members);
    if (!Number.isFinite(result.loss))
      throw lostItsWay('network', epoch, `batch ${batch + 1} of ${steps}`, state.bestEpoch);
    adamStep(learnt, network.sums, { step: step + 1, rate, decay: 0, free: 0 });
    network.countStatistics(learnt.values, result.statistics, step + 1);
    loss += (result.loss * members.length) / order.length;
    right += (result.right * members.length) / order.length;
    onBatch?.(members.length);
    await new Promise(setImmediate);
    signal?.throwIfAborted();
  }
  return { learnt, trainLoss: loss, trainAccuracy: right, learningRate: rate };
}

/** As converters will compute it: by the running statistics. */
async function measured(
  network: Network,
  { values }: Learnt,
  lessons: readonly Lesson[],
  { batchSize }: NetworkSettings,
  signal: AbortSignal | undefined,
): Promise<Measured> {
  const folded = foldBatchNorm(network.graphOf(values));
  let [loss, right] = [0, 0];
  for (let at = 0; at < lessons.length; at += batchSize) {
    const members = lessons.slice(at, at + batchSize);
    const result = network.measure(folded, values, members);
    loss += (result.loss * members.length) / lessons.length;
    right += (result.right * members.length) / lessons.length;
    await new Promise(setImmediate);
    signal?.throwIfAborted();
  }
  return { loss, right };
}
