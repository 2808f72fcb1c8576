// Writes what docs/protocol has from the zod schemas that the code parses with anew (`make schemas`): JSON Schemas, the
// tables of fields in its pages, AsyncAPI, OpenAPI.
import { writeFileSync } from 'node:fs';
import { eventSchema } from '../hub/dist/rollouts/log/schema.js';
import { openApiText } from '../shared/dist/contract/http/openapi.js';
import { asyncapi } from '../tools/dist/protocol/asyncapi.js';
import { FOLDER, pages } from '../tools/dist/protocol/examples.js';
import { withTables } from '../tools/dist/protocol/tables.js';

const write = (name, text) => writeFileSync(new URL(name, FOLDER), text);

write('rollout-event.schema.json', eventSchema());
for (const [page, text] of pages()) write(page, withTables(page, text));
write('asyncapi.json', asyncapi());
write('openapi.json', openApiText());
