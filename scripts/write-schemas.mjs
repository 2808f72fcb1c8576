// Writes the schemas of docs/protocol anew from the zod schemas that the code parses with (`make schemas`).
import { writeFileSync } from 'node:fs';
import { eventSchema } from '../hub/dist/rollouts/log/schema.js';
import { openApiText } from '../shared/dist/contract/http/openapi.js';

writeFileSync(new URL('../docs/protocol/rollout-event.schema.json', import.meta.url), eventSchema());
writeFileSync(new URL('../docs/protocol/openapi.json', import.meta.url), openApiText());
