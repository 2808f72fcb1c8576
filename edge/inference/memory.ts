import { readFile } from 'node:fs/promises';

/** Largest memory of these processes together so far, MiB (VmHWM of proc(5)); a process that is gone counts nothing. */
export async function memoryMb(pids: readonly (number | undefined)[]): Promise<number> {
  const sizes = await Promise.all(
    pids.map(async (pid) => {
      const status = pid === undefined ? '' : await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
      return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) / 1024;
    }),
  );
  return Math.round(sizes.reduce((sum, size) => sum + size, 0));
}
