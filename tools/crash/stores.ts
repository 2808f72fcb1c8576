import { AdbreakError } from '@adbreak/shared/errors.js';

/** The stores that this hub can be started with. */
const STORES = ['sqlite'] as const;
export type StoreName = (typeof STORES)[number];

/** Those that were asked for, by commas; all there are where nobody asked. One that is not there is an error, and no pass. */
export async function chosenStores(asked: string | undefined): Promise<readonly StoreName[]> {
  if (asked === undefined || asked.trim() === '') return STORES;
  return asked.split(',').map((name) => {
    const found = STORES.find((one) => one === name.trim());
    if (found !== undefined) return found;
    throw new AdbreakError(
      'input_invalid',
      `Cannot run on the store ${name}: this hub has ${STORES.join(' and ')}`,
    );
  });
}
