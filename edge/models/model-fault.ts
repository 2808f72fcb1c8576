import type { ModelRef } from '@adbreak/shared/contract/messages.js';
import { AdbreakError } from '@adbreak/shared/errors.js';

/** A coded error of one model. It carries which: a fault of production's must not be blamed on the candidate beside it. */
export class ModelFault extends AdbreakError {
  readonly digest: string;
  constructor({ digest }: Pick<ModelRef, 'digest'>, { code, message, remedy, cause }: AdbreakError) {
    super(code, message, { remedy, cause });
    this.digest = digest;
  }

  /** For `catch`: says whose error it is. What has no code, or is one model's already, stays as it is. */
  static of(model: Pick<ModelRef, 'digest'>): (error: unknown) => never {
    return (error) => {
      throw error instanceof AdbreakError && !(error instanceof ModelFault)
        ? new ModelFault(model, error)
        : error;
    };
  }
}
