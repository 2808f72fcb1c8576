import { AdbreakError } from '../errors.js';
import { addonRuntime } from './addon.js';
import { litertRuntime } from './litert.js';
import type { TfliteRuntime } from './runtime.js';
import { tfliteRuntime } from './tflite.js';

/** What may be asked for; `auto` takes the fastest that is installed. */
export const RUNTIME_CHOICES = ['litert', 'tflite', 'addon', 'auto'] as const;
export type RuntimeChoice = (typeof RUNTIME_CHOICES)[number];

const RUNTIMES = { litert: litertRuntime, tflite: tfliteRuntime, addon: addonRuntime } as const;

/** `auto`: LiteRT where it was installed, else the TFLite that comes with the packages, else the addon. `name` tells which it is. */
export function openRuntime(choice: RuntimeChoice): TfliteRuntime {
  if (choice !== 'auto') return RUNTIMES[choice]();
  const reasons: unknown[] = [];
  for (const open of Object.values(RUNTIMES)) {
    try {
      return open();
    } catch (reason) {
      reasons.push(reason);
    }
  }
  throw new AdbreakError(
    'runtime_unavailable',
    'Cannot run models: neither LiteRT, nor TFLite through FFI, nor the addon loads',
    {
      cause: new AggregateError(reasons),
    },
  );
}
