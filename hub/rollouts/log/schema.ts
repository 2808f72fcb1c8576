import { z } from 'zod';
import { rolloutEvent } from '../events.js';

/** The JSON Schema of one line of a rollout's event log, as people and other programs write it. */
export function eventSchema(): string {
  const schema = z.toJSONSchema(rolloutEvent, { io: 'input', reused: 'ref' });
  return `${JSON.stringify({ title: 'One line of a rollout event log', ...schema }, null, 2)}\n`;
}
