import { AdbreakError } from '../errors.js';
import { addonRuntime } from './addon.js';
import { nativeRuntime } from './native.js';
import type { TfliteRuntime } from './runtime.js';

export type RuntimeChoice = 'native' | 'addon' | 'auto';

/** `auto`: native, and the addon where FFI cannot load the library. Says nothing by itself: `name` tells which it is. */
export function openRuntime(choice: RuntimeChoice): TfliteRuntime {
  if (choice === 'native') return nativeRuntime();
  if (choice === 'addon') return addonRuntime();
  try {
    return nativeRuntime();
  } catch (native) {
    try {
      return addonRuntime();
    } catch (addon) {
      throw new AdbreakError('runtime_unavailable', 'Cannot run models: neither TFLite through FFI nor the addon loads', {
        cause: new AggregateError([native, addon]),
      });
    }
  }
}
