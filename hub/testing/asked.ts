import { request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { type Agent, request as httpsRequest } from 'node:https';

interface Asked {
  /** Where: `https://127.0.0.1:8443`. */
  readonly hub: string;
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly send?: string;
  /** For HTTPS, with the authority that the hub's certificate is from. */
  readonly agent?: Agent;
}
interface Answered {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Each byte a character. */
  readonly body: string;
}

/** A request as it is, and its answer with all its headers: what the hub's own client keeps to itself. */
export function answerOf({ hub, method, path, headers, send, agent }: Asked): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const take = (answer: IncomingMessage) => {
      const parts: Buffer[] = [];
      answer.on('data', (part: Buffer) => parts.push(part));
      answer.on('end', () =>
        resolve({
          status: answer.statusCode ?? 0,
          headers: answer.headers,
          body: Buffer.concat(parts).toString('latin1'),
        }),
      );
      answer.on('error', reject);
    };
    // The path beside the address: in one URL, dots and fragments of it would not be sent.
    const [url, options] = [new URL(hub), { method, path, headers, agent }];
    const asked =
      url.protocol === 'https:' ? httpsRequest(url, options, take) : httpRequest(url, options, take);
    asked.on('error', reject);
    asked.end(send);
  });
}
