import type { Manifest } from '@adbreak/shared/contract/manifest.js';
import type { RuntimeChoice } from '@adbreak/shared/tflite/open.js';

/** Messages between the agent and an inference child, over fork's channel with advanced serialization. */
export type ToWorker =
  | { readonly kind: 'load'; readonly path: string; readonly manifest: Manifest; readonly threads: number; readonly runtime: RuntimeChoice }
  | { readonly kind: 'infer'; readonly id: number; readonly pixels: Uint8Array };
export type FromWorker =
  | { readonly kind: 'loaded'; readonly runtime: string }
  | { readonly kind: 'refused'; readonly code: string; readonly message: string }
  | { readonly kind: 'result'; readonly id: number; readonly probability: number; readonly milliseconds: number }
  | { readonly kind: 'failed'; readonly id: number; readonly message: string };
