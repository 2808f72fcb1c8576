import { z } from 'zod';

/** What the hub of `make test-renewal` is started with; lives of certificates in milliseconds. */
export const hubSettings = z.strictObject({
  folder: z.string().min(1),
  deviceMs: z.int().min(5000),
  hubMs: z.int().min(5000),
});
export type HubSettings = z.infer<typeof hubSettings>;
