import * as tf from '@tensorflow/tfjs-core';
import type { BatchStatistics, Layers, Sliding } from './layers.js';

/**
 * Layers for wasm, though any backend of tfjs runs them. wasm has no gradients of filters, and multiplies
 * slowly where an operand is transposed: both are written here with what it does fast (products, and
 * convolutions forward).
 */
export const WASM_LAYERS: Layers = {
  // wasm has 2 GB, and a pass with its gradients takes several times what its outputs do.
  outputBytes: 256 * 2 ** 20,
  product,
  convolution,
  depthwise,
  batchNorm,
  relu6: (x) => tf.relu6(x),
};

function product(rows: tf.Tensor2D, kernel: tf.Tensor2D): tf.Tensor2D {
  const op = tf.customGrad((a, w, save) => {
    (save as tf.GradSaveFunc)([a as tf.Tensor, w as tf.Tensor]);
    return {
      value: tf.matMul(a as tf.Tensor2D, tf.transpose(w as tf.Tensor2D)),
      gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => {
        const [x, k] = saved as [tf.Tensor2D, tf.Tensor2D];
        return [tf.matMul(dy as tf.Tensor2D, k), tf.matMul(tf.transpose(dy as tf.Tensor2D), x)];
      },
    };
  });
  return op(rows, kernel) as tf.Tensor2D;
}

function convolution(x: tf.Tensor4D, kernel: tf.Tensor4D, sliding: Sliding): tf.Tensor4D {
  const [out, height, width, channels] = kernel.shape;
  const [n, h, w] = x.shape;
  if (height === 1 && width === 1 && sliding.stride === 1) {
    const rows = product(tf.reshape(x, [n * h * w, channels]), tf.reshape(kernel, [out, channels]));
    return tf.reshape(rows, [n, h, w, out]);
  }
  const op = tf.customGrad((input, filter, save) => {
    (save as tf.GradSaveFunc)([input as tf.Tensor, filter as tf.Tensor]);
    return {
      value: tf.conv2d(
        input as tf.Tensor4D,
        tf.transpose(filter as tf.Tensor4D, [1, 2, 3, 0]),
        sliding.stride,
        sliding.padding,
      ),
      gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => {
        const [a, k] = saved as [tf.Tensor4D, tf.Tensor4D];
        // Turned by half a turn, with input and output exchanged: OHWI -> HWOI.
        const turned = tf.transpose(tf.reverse(k, [1, 2]), [1, 2, 0, 3]);
        const dx = tf.conv2d(
          spread(dy as tf.Tensor4D, a.shape, [height, width], sliding),
          turned,
          1,
          'valid',
        );
        return [dx, filterGradient(a, dy as tf.Tensor4D, k.shape, sliding)];
      },
    };
  });
  return op(x, kernel) as tf.Tensor4D;
}

function depthwise(x: tf.Tensor4D, kernel: tf.Tensor4D, sliding: Sliding): tf.Tensor4D {
  const [, height, width, channels] = kernel.shape;
  const op = tf.customGrad((input, filter, save) => {
    (save as tf.GradSaveFunc)([input as tf.Tensor, filter as tf.Tensor]);
    const native = tf.reshape(filter as tf.Tensor, [height, width, channels, 1]) as tf.Tensor4D;
    return {
      value: tf.depthwiseConv2d(input as tf.Tensor4D, native, sliding.stride, sliding.padding),
      gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => {
        const [a, k] = saved as [tf.Tensor4D, tf.Tensor4D];
        const turned = tf.reshape(tf.reverse(k, [1, 2]), [height, width, channels, 1]) as tf.Tensor4D;
        const wide = spread(dy as tf.Tensor4D, a.shape, [height, width], sliding);
        const dx = tf.depthwiseConv2d(wide, turned, 1, 'valid');
        return [dx, depthwiseFilterGradient(a, dy as tf.Tensor4D, k.shape, sliding)];
      },
    };
  });
  return op(x, kernel) as tf.Tensor4D;
}

function batchNorm(
  x: tf.Tensor4D,
  gamma: tf.Tensor1D,
  beta: tf.Tensor1D,
  epsilon: number,
  onStatistics: (statistics: BatchStatistics) => void,
): tf.Tensor4D {
  const op = tf.customGrad((input, scale, shift, save) => {
    const values = (input as tf.Tensor).dataSync() as Float32Array;
    const channels = (scale as tf.Tensor).size;
    const statistics = statisticsOf(values, channels);
    onStatistics(statistics);
    (save as tf.GradSaveFunc)([input as tf.Tensor, scale as tf.Tensor]);
    const g = (scale as tf.Tensor).dataSync();
    const b = (shift as tf.Tensor).dataSync();
    const inverse = statistics.variance.map((v) => 1 / Math.sqrt(v + epsilon));
    const factor = inverse.map((v, c) => v * (g[c] ?? 0));
    const offset = factor.map((f, c) => (b[c] ?? 0) - f * (statistics.mean[c] ?? 0));
    const normalized = new Float32Array(values.length);
    for (let at = 0; at < values.length; at += channels)
      for (let c = 0; c < channels; c++)
        normalized[at + c] = (values[at + c] ?? 0) * (factor[c] ?? 0) + (offset[c] ?? 0);
    return {
      value: tf.tensor(normalized, (input as tf.Tensor).shape),
      gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => {
        const [a, s] = saved as [tf.Tensor, tf.Tensor];
        return normGradients(a, s, dy, statistics.mean, inverse);
      },
    };
  });
  return op(x, gamma, beta) as tf.Tensor4D;
}

function statisticsOf(values: Float32Array, channels: number): BatchStatistics {
  const rows = values.length / channels;
  const sums = new Float64Array(channels);
  const squares = new Float64Array(channels);
  for (let at = 0; at < values.length; at += channels)
    for (let c = 0; c < channels; c++) sums[c] = (sums[c] ?? 0) + (values[at + c] ?? 0);
  const mean = sums.map((sum) => sum / rows);
  for (let at = 0; at < values.length; at += channels)
    for (let c = 0; c < channels; c++) {
      const distance = (values[at + c] ?? 0) - (mean[c] ?? 0);
      squares[c] = (squares[c] ?? 0) + distance * distance;
    }
  return { mean: Float32Array.from(mean), variance: Float32Array.from(squares, (sum) => sum / rows) };
}

/** dx = γ/σ (dy - mean(dy) - x̂ mean(dy x̂)), dγ = Σ dy x̂, dβ = Σ dy */
function normGradients(
  x: tf.Tensor,
  gamma: tf.Tensor,
  dy: tf.Tensor,
  mean: Float32Array,
  inverse: Float32Array,
): tf.Tensor[] {
  const [values, slopes, g] = [x.dataSync(), dy.dataSync(), gamma.dataSync()];
  const channels = gamma.size;
  const rows = values.length / channels;
  const scale = new Float64Array(channels);
  const shift = new Float64Array(channels);
  for (let at = 0; at < values.length; at += channels)
    for (let c = 0; c < channels; c++) {
      const slope = slopes[at + c] ?? 0;
      const normal = ((values[at + c] ?? 0) - (mean[c] ?? 0)) * (inverse[c] ?? 0);
      shift[c] = (shift[c] ?? 0) + slope;
      scale[c] = (scale[c] ?? 0) + slope * normal;
    }
  const dx = new Float32Array(values.length);
  for (let at = 0; at < values.length; at += channels)
    for (let c = 0; c < channels; c++) {
      const normal = ((values[at + c] ?? 0) - (mean[c] ?? 0)) * (inverse[c] ?? 0);
      const own = (slopes[at + c] ?? 0) - ((shift[c] ?? 0) + normal * (scale[c] ?? 0)) / rows;
      dx[at + c] = (g[c] ?? 0) * (inverse[c] ?? 0) * own;
    }
  return [
    tf.tensor(dx, x.shape),
    tf.tensor1d(Float32Array.from(scale)),
    tf.tensor1d(Float32Array.from(shift)),
  ];
}

/** Zeros before the first row or column, as TensorFlow pads. */
function padBefore(size: number, kernel: number, out: number, { stride, padding }: Sliding): number {
  return padding === 'valid' ? 0 : Math.max(0, (out - 1) * stride + kernel - size) >> 1;
}

/**
 * The gradient of an output as a picture whose convolution (valid, stride 1) with the turned kernel is the
 * gradient of the input: stride - 1 zeros behind each value, and as many around all as the kernel reaches
 * over the edge.
 */
function spread(
  dy: tf.Tensor4D,
  [, h, w]: readonly [number, number, number, number],
  [kh, kw]: readonly [number, number],
  sliding: Sliding,
): tf.Tensor4D {
  const { stride } = sliding;
  const [n, oh, ow, c] = dy.shape;
  let wide = dy;
  if (stride > 1) {
    const columns = tf.concat([tf.reshape(dy, [n * oh, ow, 1, c]), tf.zeros([n * oh, ow, stride - 1, c])], 2);
    const lines = tf.reshape(columns, [n, oh, 1, ow * stride * c]);
    const rows = tf.concat([lines, tf.zeros([n, oh, stride - 1, ow * stride * c])], 2);
    wide = tf.reshape(rows, [n, oh * stride, ow * stride, c]);
  }
  const above = kh - 1 - padBefore(h, kh, oh, sliding);
  const left = kw - 1 - padBefore(w, kw, ow, sliding);
  return fit(wide, [above, h + kh - 1], [left, w + kw - 1]);
}

/** The picture moved down and right, with zeros around it, or cut, to the lengths that are asked for. */
function fit(
  x: tf.Tensor4D,
  [above, height]: readonly [number, number],
  [left, width]: readonly [number, number],
): tf.Tensor4D {
  const [n, h, w, c] = x.shape;
  const kept = tf.slice(x, [0, 0, 0, 0], [n, Math.min(h, height - above), Math.min(w, width - left), c]);
  const around: [[number, number], [number, number], [number, number], [number, number]] = [
    [0, 0],
    [above, height - above - kept.shape[1]],
    [left, width - left - kept.shape[2]],
    [0, 0],
  ];
  return tf.pad(kept, around);
}

/** OHWI: for each place in the kernel, the inputs it met times the gradients of what it gave. */
function filterGradient(
  x: tf.Tensor4D,
  dy: tf.Tensor4D,
  [out, kh, kw, channels]: readonly [number, number, number, number],
  sliding: Sliding,
): tf.Tensor {
  const [n, oh, ow] = dy.shape;
  const { stride } = sliding;
  const above = padBefore(x.shape[1], kh, oh, sliding);
  const left = padBefore(x.shape[2], kw, ow, sliding);
  const padded = fit(x, [above, (oh - 1) * stride + kh], [left, (ow - 1) * stride + kw]);
  const slopes = tf.transpose(tf.reshape(dy, [n * oh * ow, out]));
  const places: tf.Tensor[] = [];
  for (let u = 0; u < kh; u++)
    for (let v = 0; v < kw; v++) {
      const met = tf.stridedSlice(
        padded,
        [0, u, v, 0],
        [n, u + (oh - 1) * stride + 1, v + (ow - 1) * stride + 1, channels],
        [1, stride, stride, 1],
      );
      places.push(tf.matMul(slopes as tf.Tensor2D, tf.reshape(met, [n * oh * ow, channels])));
    }
  return tf.reshape(tf.stack(places, 1), [out, kh, kw, channels]);
}

/**
 * [1, kh, kw, C]. A plain loop: on wasm it takes a fraction of what slices, products and sums of them take.
 */
function depthwiseFilterGradient(
  x: tf.Tensor4D,
  dy: tf.Tensor4D,
  shape: readonly [number, number, number, number],
  sliding: Sliding,
): tf.Tensor {
  const [, kh, kw, channels] = shape;
  const [n, h, w] = x.shape;
  const [, oh, ow] = dy.shape;
  const { stride } = sliding;
  const above = padBefore(h, kh, oh, sliding);
  const left = padBefore(w, kw, ow, sliding);
  const [values, slopes] = [x.dataSync(), dy.dataSync()];
  const sums = new Float64Array(kh * kw * channels);
  for (let picture = 0; picture < n; picture++)
    for (let i = 0; i < oh; i++)
      for (let j = 0; j < ow; j++) {
        const slope = ((picture * oh + i) * ow + j) * channels;
        for (let u = 0; u < kh; u++) {
          const row = i * stride + u - above;
          if (row < 0 || row >= h) continue;
          for (let v = 0; v < kw; v++) {
            const column = j * stride + v - left;
            if (column < 0 || column >= w) continue;
            const met = ((picture * h + row) * w + column) * channels;
            const place = (u * kw + v) * channels;
            for (let c = 0; c < channels; c++)
              sums[place + c] = (sums[place + c] ?? 0) + (values[met + c] ?? 0) * (slopes[slope + c] ?? 0);
          }
        }
      }
  return tf.tensor(Float32Array.from(sums), [...shape]);
}
