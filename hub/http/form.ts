import { AdbreakError, explain } from '@adbreak/shared/errors.js';
import multipart from '@fastify/multipart';
import type { FastifyInstance, FastifyRequest } from 'fastify';

const MODEL_LIMIT = 256 * 1024 * 1024;
const FIELD_LIMIT = 64 * 1024;

/** The parts of a new version. */
export interface VersionForm {
  readonly manifest: string;
  readonly model: Buffer;
}

export async function acceptForms(app: FastifyInstance): Promise<void> {
  await app.register(multipart, {
    limits: { fileSize: MODEL_LIMIT, files: 1, fields: 1, fieldSize: FIELD_LIMIT, parts: 2 },
  });
}

/** What the parser cannot read is the form's fault, whatever it throws: nothing of ours is asked yet. */
export async function readForm(request: FastifyRequest): Promise<VersionForm> {
  let manifest = '';
  let model: Buffer | undefined;
  try {
    for await (const part of request.parts()) {
      if (part.type === 'file') model = await part.toBuffer();
      else if (part.fieldname === 'manifest' && typeof part.value === 'string') manifest = part.value;
    }
  } catch (cause) {
    if (cause instanceof Error && 'statusCode' in cause) throw cause;
    throw new AdbreakError('input_invalid', `Cannot register: the form is broken: ${explain(cause)}`, {
      cause,
    });
  }
  if (model === undefined)
    throw new AdbreakError(
      'input_invalid',
      'Cannot register: the form needs a field `manifest` and a file `model`',
    );
  return { manifest, model };
}
