import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';

/** The digest of a file that may be as large as a model, without holding it. */
export async function sha256OfFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk);
  return hash.digest('hex');
}
