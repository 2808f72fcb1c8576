// Writes the JSON Schemas of docs/protocol anew from the zod schemas that the code parses with (`make schemas`).
import { writeFileSync } from 'node:fs';
import { eventSchema } from '../hub/dist/rollouts/log/schema.js';

writeFileSync(new URL('../docs/protocol/rollout-event.schema.json', import.meta.url), eventSchema());
