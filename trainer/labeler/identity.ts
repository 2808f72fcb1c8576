import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';

const MIB = 1024 * 1024;

/**
 * What a recording is called wherever it lies: 16 hexadecimal digits out of its size and the SHA-256 of its first and its last
 * MiB. Gigabytes need not be read for it; two recordings that agree in all three are one.
 */
export async function identityOf(path: string): Promise<string> {
  await using file = await open(path, 'r');
  const { size } = await file.stat();
  const hash = createHash('sha256').update(`${size}\n`);
  for (const from of [0, Math.max(0, size - MIB)]) {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(MIB), 0, MIB, from);
    hash.update(buffer.subarray(0, bytesRead));
  }
  return hash.digest('hex').slice(0, 16);
}
