import { explain } from '@adbreak/shared/errors.js';
import { askByDocument } from './openapi.js';

/**
 * `make conformance-http`: thousands of requests that schemathesis makes from the hub's OpenAPI document. The
 * last line is JSON; it fails where an answer is a fault or not what the document says, and where there were
 * fewer requests than REQUESTS (5,000). SEED= repeats another run.
 */
const LEAST = Number(process.env['REQUESTS'] || 5000);
const SEED = Number(process.env['SEED'] || 1);
/** Of each operation, beside the edges of its schemas; there are about eighty. */
const EXAMPLES = 80;
/** More than it takes on a slow machine. */
const SECONDS = 1800;

const closers: (() => void)[] = [];
const close = () => {
  for (const one of closers.splice(0)) one();
};
// However it ends: no hub outlives it.
process.once('exit', close);
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
try {
  const begun = performance.now();
  const asking = { examples: EXAMPLES, edges: true, seconds: SECONDS, seed: SEED };
  const held = await askByDocument({ after: (one) => closers.push(one) }, asking);
  console.error(held.words);
  const { requests, statuses, conforms } = held;
  const seconds = Math.round((performance.now() - begun) / 1000);
  console.log(
    JSON.stringify({ test: 'conformance-http', seed: SEED, requests, statuses, conforms, seconds }),
  );
  process.exitCode = conforms && requests >= LEAST ? 0 : 1;
} catch (error) {
  console.error(explain(error));
  process.exitCode = 1;
} finally {
  close();
}
