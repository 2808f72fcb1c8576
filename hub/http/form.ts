import { FORM } from '@adbreak/shared/contract/http/contract.js';
import { MODEL_LIMIT } from '@adbreak/shared/contract/manifest.js';
import { AdbreakError, explain } from '@adbreak/shared/errors.js';
import multipart from '@fastify/multipart';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Upload } from '../registry/upload.js';

const FIELD_LIMIT = 64 * 1024;
/** A long password with each of its characters escaped. */
const FIELDS_LIMIT = 16 * 1024;

/** The parts of a new version. */
export interface VersionForm {
  readonly manifest: string;
  readonly model: Upload;
}
/** Takes the file of a form while it comes. */
export type Receive = (file: AsyncIterable<Uint8Array>) => Promise<Upload>;

export async function acceptForms(app: FastifyInstance): Promise<void> {
  await app.register(multipart, {
    // What is longer is refused by who receives it; the parser would cut it off, and say so too late.
    limits: { fileSize: MODEL_LIMIT + 1, files: 1, fields: 1, fieldSize: FIELD_LIMIT, parts: 2 },
  });
}

/**
 * What a page's own form sends, for the routes that say so: any page of elsewhere could send it without being
 * asked (it needs no CORS preflight), so that what takes JSON takes nothing else.
 */
export function acceptFields(app: FastifyInstance): void {
  app.addContentTypeParser(
    FORM,
    { parseAs: 'string', bodyLimit: FIELDS_LIMIT },
    ({ routeOptions }: FastifyRequest, body: string, done) => {
      if (routeOptions.config.bodyAs === FORM)
        return done(null, Object.fromEntries(new URLSearchParams(body)));
      done(new AdbreakError('input_invalid', `Cannot accept the request: its body is no JSON but ${FORM}`));
    },
  );
}

/** What the parser cannot read is the form's fault, whatever it throws: nothing of ours is asked yet. */
export async function readForm(request: FastifyRequest, receive: Receive): Promise<VersionForm> {
  let manifest = '';
  let model: Upload | undefined;
  // Who has left while it waited for its turn: the parser would wait for its end for ever.
  if (request.raw.destroyed) throw new AdbreakError('input_invalid', 'Cannot register: the form broke off');
  try {
    for await (const part of request.parts()) {
      if (part.type === 'file') model = await receive(part.file);
      else if (part.fieldname === 'manifest' && typeof part.value === 'string') manifest = part.value;
    }
  } catch (cause) {
    await model?.[Symbol.asyncDispose]();
    if (cause instanceof AdbreakError || (cause instanceof Error && 'statusCode' in cause)) throw cause;
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
