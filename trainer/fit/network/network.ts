import { AdbreakError } from '@adbreak/shared/errors.js';
import { type Random, seeded } from '@adbreak/shared/random.js';
import { elements } from '@adbreak/shared/tflite/shapes.js';
import * as tf from '@tensorflow/tfjs-core';
import { type Graph, inferShapes } from '../../nn/graph.js';
import { numbersOf, withNumbers } from '../../nn/numbers.js';
import { forward, type LayerTensors, type Pass } from './forward.js';
import type { BatchStatistics, Layers } from './layers.js';
import { isLearnt, layersOf, type Slot, slotsOf, tensorsOf } from './parameters.js';

/** What a network learns from one picture. */
export interface Lesson {
  /** Puts what the network sees, row-major, into a batch, from `at` on. */
  readonly fill: (batch: Float32Array, at: number) => void;
  /** p(ad): 0 or 1, or what a teacher says. */
  readonly target: number;
  /** What a teacher sees in it, of mean 0 and variance 1; null without a teacher. */
  readonly features: Float32Array | null;
}
/** logits = kernel · features + bias; kernel [2, width]. */
export interface ReadOut {
  readonly kernel: Float32Array;
  readonly bias: Float32Array;
}
/** Mean cross-entropy of a batch in nats, and the share that is called by its label. */
export interface Measured {
  readonly loss: number;
  readonly right: number;
}
interface Gradient extends Measured {
  readonly statistics: ReadonlyMap<string, BatchStatistics>;
}
type Numbers = ReadonlyMap<string, LayerTensors>;

/**
 * What a batch counts for in the running statistics: there are hundreds of batches, not hundreds of
 * thousands.
 */
const MOMENTUM = 0.1;

/**
 * A graph to be trained, as one vector: its own numbers, the read-out's, and with a teacher those that tell
 * its features.
 */
export class Network {
  /** The gradient of the last batch. */
  readonly sums: Float64Array;
  readonly #graph: Graph;
  readonly #layers: Layers;
  readonly #slots: readonly Slot[];
  readonly #readOuts: readonly Slot[];
  readonly #own: number;
  readonly #input: readonly number[];
  /** Lessons that fit into the backend's memory in one pass. */
  readonly #atOnce: number;
  /** Whether a batch is normalized by its own statistics, which are of all of it. */
  readonly #hasStatistics: boolean;

  /** `teacher`: how many features it has; 0 without one. `layers` are the backend's. */
  constructor(graph: Graph, teacher: number, layers: Layers) {
    this.#graph = graph;
    this.#layers = layers;
    const shapes = inferShapes(graph);
    this.#input = shapes.get(graph.nodes[0]?.name ?? '')?.slice(1) ?? [];
    const width = shapes.get(graph.nodes.at(-1)?.name ?? '')?.at(-1) ?? 0;
    const own = slotsOf(graph);
    this.#own = own.at(-1)?.to ?? 0;
    const label = readOutSlots('label', 2, width, this.#own);
    this.#readOuts = [
      ...label,
      ...(teacher === 0 ? [] : readOutSlots('teacher', teacher, width, label.at(-1)?.to ?? 0)),
    ];
    this.#slots = [...own, ...this.#readOuts];
    this.sums = new Float64Array(this.#slots.at(-1)?.to ?? 0);
    const outputs = [...shapes.values()].reduce((sum, shape) => sum + 4 * elements(shape), 0);
    this.#atOnce = Math.max(1, Math.floor(layers.outputBytes / outputs));
    this.#hasStatistics = own.some(({ part }) => part === 'mean');
  }

  initial(seed: number, readOut?: ReadOut): Float32Array {
    const values = new Float32Array(this.sums.length);
    values.set(numbersOf(this.#graph));
    const random = seeded(`network/${seed}`);
    for (const { layer, part, shape, from, to } of this.#readOuts) {
      if (layer === 'label' && readOut !== undefined)
        values.set(part === 'kernel' ? readOut.kernel : readOut.bias, from);
      else if (part === 'kernel')
        fillNormal(values.subarray(from, to), random.fork(layer), 1 / Math.sqrt(shape[1] ?? 1));
    }
    return values;
  }

  graphOf(values: Float32Array): Graph {
    return withNumbers(this.#graph, values.slice(0, this.#own));
  }

  /**
   * The loss of a batch, with a teacher the squared distance to its features in it; its gradient is left in
   * `sums`.
   */
  gradient(values: Float32Array, lessons: readonly Lesson[]): Gradient {
    const statistics = new Map<string, BatchStatistics>();
    const onStatistics = (layer: string, found: BatchStatistics) => statistics.set(layer, found);
    this.sums.fill(0);
    const measured = inParts(lessons, this.#hasStatistics ? lessons.length : this.#atOnce, (part, share) =>
      this.#addGradient(values, part, share, onStatistics),
    );
    return { ...measured, statistics };
  }

  #addGradient(
    values: Float32Array,
    lessons: readonly Lesson[],
    share: number,
    onStatistics: Pass['onStatistics'],
  ): Measured {
    const learnt = this.#slots.filter(isLearnt);
    let right = 0;
    const loss = tf.tidy(() => {
      const x = this.#batch(lessons);
      const { value, grads } = tf.valueAndGrads((...tensors: tf.Tensor[]) => {
        const numbers = layersOf(learnt, tensors);
        const features = forward(this.#graph, x, { layers: this.#layers, numbers, onStatistics });
        const logits = this.#dense(features, numbers, 'label');
        right = shareRight(logits, lessons);
        const distance = this.#distance(features, numbers, lessons);
        const entropy = entropyOf(logits, lessons);
        return distance === null ? entropy : (tf.add(entropy, distance) as tf.Scalar);
      })(tensorsOf(learnt, values));
      grads.forEach((gradient, i) => {
        addTo(this.sums, gradient.dataSync(), share, learnt[i]?.from ?? 0);
      });
      return value.dataSync()[0] ?? Number.NaN;
    });
    return { loss, right };
  }

  /**
   * What a batch is called by `graph`, which has this one's layers and no batch normalization, and the
   * read-out in `values`.
   */
  measure(graph: Graph, values: Float32Array, lessons: readonly Lesson[]): Measured {
    return inParts(lessons, this.#atOnce, (part) => this.#measure(graph, values, part));
  }

  #measure(graph: Graph, values: Float32Array, lessons: readonly Lesson[]): Measured {
    return tf.tidy(() => {
      const slots = slotsOf(graph);
      const numbers = new Map([
        ...layersOf(slots, tensorsOf(slots, numbersOf(graph))),
        ...layersOf(this.#readOuts, tensorsOf(this.#readOuts, values)),
      ]);
      const pass = { layers: this.#layers, numbers, onStatistics: () => undefined };
      const logits = this.#dense(forward(graph, this.#batch(lessons), pass), numbers, 'label');
      return {
        loss: entropyOf(logits, lessons).dataSync()[0] ?? Number.NaN,
        right: shareRight(logits, lessons),
      };
    });
  }

  /**
   * Running statistics move towards the batch's. `step` counts from 1: of the first ones they are the plain
   * mean, or what they began with would be in them for dozens of batches.
   */
  countStatistics(values: Float32Array, found: ReadonlyMap<string, BatchStatistics>, step: number): void {
    const share = Math.max(MOMENTUM, 1 / step);
    for (const { layer, part, from, to } of this.#slots) {
      if (part !== 'mean' && part !== 'variance') continue;
      const batch = found.get(layer)?.[part];
      for (let i = from; i < to; i++)
        values[i] = (1 - share) * (values[i] ?? 0) + share * (batch?.[i - from] ?? 0);
    }
  }

  /** Mean squared distance to the teacher's features; null without a teacher. */
  #distance(features: tf.Tensor, numbers: Numbers, lessons: readonly Lesson[]): tf.Scalar | null {
    const width = lessons[0]?.features?.length ?? 0;
    if (width === 0) return null;
    const wanted = new Float32Array(lessons.length * width);
    lessons.forEach((lesson, i) => {
      wanted.set(lesson.features ?? [], i * width);
    });
    const seen = this.#dense(features, numbers, 'teacher');
    return tf.mean(tf.square(tf.sub(seen, tf.tensor2d(wanted, [lessons.length, width])))) as tf.Scalar;
  }

  #dense(features: tf.Tensor, numbers: Numbers, name: string): tf.Tensor2D {
    const { kernel, bias } = numbers.get(name) ?? {};
    if (kernel === undefined || bias === undefined || bias === null)
      throw new AdbreakError('training_failed', `Cannot train: the read-out ${name} is missing`);
    return tf.add(this.#layers.product(features as tf.Tensor2D, kernel as tf.Tensor2D), bias) as tf.Tensor2D;
  }

  #batch(lessons: readonly Lesson[]): tf.Tensor4D {
    const size = this.#input.reduce((product, side) => product * side, 1);
    const batch = new Float32Array(lessons.length * size);
    lessons.forEach(({ fill }, i) => fill(batch, i * size));
    const [height = 0, width = 0, channels = 0] = this.#input;
    return tf.tensor4d(batch, [lessons.length, height, width, channels]);
  }
}

/** The means over lessons that are looked at in parts; `share` is how much of all a part is. */
function inParts(
  lessons: readonly Lesson[],
  atOnce: number,
  look: (part: readonly Lesson[], share: number) => Measured,
): Measured {
  let [loss, right] = [0, 0];
  for (let at = 0; at < lessons.length; at += atOnce) {
    const part = lessons.slice(at, at + atOnce);
    const share = part.length / lessons.length;
    const measured = look(part, share);
    loss += share * measured.loss;
    right += share * measured.right;
  }
  return { loss, right };
}

function addTo(sums: Float64Array, values: ArrayLike<number>, share: number, from: number): void {
  for (let i = 0; i < values.length; i++) sums[from + i] = (sums[from + i] ?? 0) + share * (values[i] ?? 0);
}

/** Slots of a dense layer behind the features. */
function readOutSlots(layer: string, out: number, width: number, from: number): Slot[] {
  const end = from + out * width;
  return [
    { layer, part: 'kernel', shape: [out, width], from, to: end },
    { layer, part: 'bias', shape: [out], from: end, to: end + out },
  ];
}

function entropyOf(logits: tf.Tensor2D, lessons: readonly Lesson[]): tf.Scalar {
  const targets = tf.tensor2d(
    lessons.flatMap(({ target }) => [1 - target, target]),
    [lessons.length, 2],
  );
  return tf.neg(tf.mean(tf.sum(tf.mul(targets, tf.logSoftmax(logits)), 1))) as tf.Scalar;
}

function shareRight(logits: tf.Tensor2D, lessons: readonly Lesson[]): number {
  const values = logits.dataSync();
  const right = lessons.filter(
    ({ target }, i) => (values[2 * i + 1] ?? 0) > (values[2 * i] ?? 0) === target > 0.5,
  );
  return right.length / lessons.length;
}

function fillNormal(values: Float32Array, random: Random, deviation: number): void {
  for (let i = 0; i < values.length; i++) values[i] = random.normal() * deviation;
}
