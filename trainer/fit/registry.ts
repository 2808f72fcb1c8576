import { readFile } from 'node:fs/promises';
import { AdbreakError, hasCode } from '@adbreak/shared/errors.js';
import { HubClient } from '@adbreak/shared/hub-client.js';
import { FormData } from 'undici';

/** Where trained models go: the hub's registry. */
export interface Registry {
  /** What is said of a version once it went there. */
  readonly sent: string;
  /** Throws `conflict` where the version is taken, and what a hub says that cannot be asked. */
  checkFree(name: string, version: string): Promise<void>;
  upload(name: string, version: string, files: { manifest: string; model: Uint8Array }): Promise<void>;
}

/**
 * The registry at a URL: `http://localhost:8000` on the hub's own machine, `https://hub:8443` from elsewhere.
 * The token is ADBREAK_TOKEN's, the authority of an https hub ADBREAK_CA's.
 */
export async function openRegistry(
  url: string,
  env: Readonly<Record<string, string | undefined>>,
  signal?: AbortSignal,
): Promise<Registry> {
  const address = addressOf(url);
  refuseInTheOpen(address);
  const token = env['ADBREAK_TOKEN'];
  if (token === undefined || token === '')
    throw new AdbreakError('unauthorized', `Cannot reach the registry ${url}: ADBREAK_TOKEN is not set`);
  const authority = address.protocol === 'https:' ? await readAuthority(url, env['ADBREAK_CA']) : '';
  const what = 'reach the registry';
  const path = (name: string, version: string) => `/api/v1/models/${name}/versions/${version}`;
  const ask = async (request: Parameters<HubClient['askAs']>[1], target: string) => {
    await using client = new HubClient(address.href, { authority }, { reader: 'person' });
    return await client.askAs(target, request);
  };
  const common = { what, token, signal };
  return {
    sent: 'uploaded',
    checkFree: async (name, version) => {
      try {
        await ask(common, path(name, version));
      } catch (error) {
        if (hasCode(error, 'not_found')) return;
        throw error;
      }
      throw new AdbreakError(
        'conflict',
        `Cannot upload ${name} ${version}: the registry has this version already`,
        {
          remedy: 'Versions never change: set model.version to the next one.',
        },
      );
    },
    upload: async (name, version, { manifest, model }) => {
      const form = new FormData();
      form.set('manifest', manifest);
      form.set('model', new Blob([Uint8Array.from(model)]), 'model.tflite');
      await ask({ ...common, method: 'PUT', form }, path(name, version));
    },
  };
}

/** A token that goes over a network without encryption is everybody's. */
function refuseInTheOpen({ protocol, hostname, href }: URL): void {
  if (protocol === 'https:' || /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname)) return;
  throw new AdbreakError(
    'input_invalid',
    `Cannot use the registry ${href}: the token would go there unencrypted`,
    {
      remedy: 'From another machine use https://HUB:8443, with the authority of the hub in ADBREAK_CA.',
    },
  );
}

function addressOf(url: string): URL {
  const address = URL.canParse(url) ? new URL(url) : null;
  if (address === null || !/^https?:$/.test(address.protocol))
    throw new AdbreakError(
      'input_invalid',
      `Cannot use the registry ${url}: it must be a URL, as in http://localhost:8000`,
    );
  return address;
}

async function readAuthority(url: string, path: string | undefined): Promise<string> {
  if (path === undefined || path === '')
    throw new AdbreakError('unauthorized', `Cannot trust the registry ${url}: ADBREAK_CA is not set`, {
      remedy: "Set it to the fleet's authority: identity/ca.pem in the hub's state folder.",
    });
  return readFile(path, 'utf8').catch((cause: unknown) => {
    throw new AdbreakError('not_found', `Cannot read the authority's certificate ${path}`, { cause });
  });
}
