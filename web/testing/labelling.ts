import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../../../trainer/dist/main.js', import.meta.url));

interface Folders {
  readonly videoDir: string;
  readonly outputDir: string;
  /** The same again after a kill, so that an open page finds it. */
  readonly port?: number;
  /** A file with spots. */
  readonly spots?: string;
}

/** `adbreak label` as a process of its own, as a person starts it. */
export class Labelling {
  readonly #child: ChildProcess;
  readonly url: string;

  private constructor(child: ChildProcess, url: string) {
    this.#child = child;
    this.url = url;
  }

  static async start({ videoDir, outputDir, port = 0, spots }: Folders): Promise<Labelling> {
    const folders = ['--video-dir', videoDir, '--output-dir', outputDir, '--port', String(port)];
    const args = [MAIN, 'label', ...folders, ...(spots === undefined ? [] : ['--spots', spots])];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    for await (const line of createInterface({ input: child.stdout })) {
      const [, url] = /labelling page: (\S+)/.exec(line) ?? [];
      if (url !== undefined) return new Labelling(child, url);
    }
    throw new Error('adbreak label ended before it said its address');
  }

  get port(): number {
    return Number(new URL(this.url).port);
  }

  /** As a power cut would: nothing is tidied up. */
  async kill(signal: 'SIGKILL' | 'SIGTERM' = 'SIGKILL'): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill(signal);
    await ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill('SIGTERM');
  }
}
