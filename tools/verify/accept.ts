import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { explain } from '@adbreak/shared/errors.js';
import { byteLength } from '@adbreak/shared/tflite/interpreter.js';
import { litertRuntime } from '@adbreak/shared/tflite/litert.js';
import { tfliteRuntime } from '@adbreak/shared/tflite/tflite.js';

/** Which files our runtimes load and run, ours and Google's: one line of JSON for `make verify-reference`. */
const runtimes = [tfliteRuntime(), litertRuntime()];
const verdicts: Record<string, Record<string, string>> = {
  versions: Object.fromEntries(runtimes.map(({ name, version }) => [name, `${name} ${version}`])),
};
for (const runtime of runtimes) {
  const taken: Record<string, string> = {};
  for (const path of process.argv.slice(2)) {
    try {
      using interpreter = await runtime.open(new Uint8Array(await readFile(path)));
      const [output] = await interpreter.invoke(
        interpreter.inputs.map((spec) => new Uint8Array(byteLength(spec))),
      );
      taken[basename(path)] = output === undefined ? 'no output' : 'yes';
    } catch (error) {
      taken[basename(path)] = explain(error);
    }
  }
  verdicts[runtime.name] = taken;
}
console.log(JSON.stringify(verdicts));
