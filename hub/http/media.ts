import type { IncomingHttpHeaders } from 'node:http';
import { Readable } from 'node:stream';
import type { Media } from '@adbreak/shared/contract/http/contract.js';
import { AdbreakError, type ErrorCode } from '@adbreak/shared/errors.js';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Artifact } from '../registry/artifact.js';

/** An answer that is no JSON of ours. */
export interface Sent {
  /** An artifact has a strong validator, its digest (RFC 9110 section 8.8.1), and may be asked for in parts. */
  readonly body: string | Uint8Array | Readable | Artifact;
  /** 200 where nothing is said. */
  readonly status?: number;
  /** Why a page refuses what it was sent: the audit log has it. */
  readonly fault?: ErrorCode;
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * Sends it, or the part that was asked for, or nothing where the caller has it already: RFC 9110 sections 13
 * and 14.
 */
export async function sendMedia(
  { method, headers }: Pick<FastifyRequest, 'method' | 'headers'>,
  reply: FastifyReply,
  { media }: Media,
  { body, status = 200, headers: own = {} }: Sent,
): Promise<FastifyReply> {
  if (!isArtifact(body)) return reply.code(status).headers(own).type(media).send(body);
  const tag = `"${body.digest}"`;
  reply.headers({ etag: tag, 'accept-ranges': 'bytes' });
  if (hasIt(headers['if-none-match'], tag)) return reply.code(304).send();
  // For HEAD there are no ranges (section 14.2).
  const part = method === 'GET' ? partOf(headers, tag, body.size) : 'all';
  if (part === 'beyond') {
    reply.header('content-range', `bytes */${body.size}`);
    throw new AdbreakError(
      'range_unsatisfiable',
      `Cannot answer with ${headers.range}: there are ${body.size} bytes`,
    );
  }
  const { from, to } = part === 'all' ? { from: 0, to: body.size - 1 } : part;
  // Nothing is opened for HEAD, and nothing of an empty file. A stream, for of text Fastify says its own length.
  const bytes = method === 'HEAD' || to < from ? Readable.from([]) : await body.read(from, to);
  if (part !== 'all') reply.code(206).header('content-range', `bytes ${from}-${to}/${body.size}`);
  return reply
    .headers({ ...own, 'content-length': to - from + 1 })
    .type(media)
    .send(bytes);
}

function isArtifact(body: Sent['body']): body is Artifact {
  return typeof body === 'object' && 'digest' in body;
}

/** If-None-Match compares weakly (section 13.1.2): a cache between may have weakened our tag. */
function hasIt(asked: string | undefined, tag: string): boolean {
  if (asked === undefined) return false;
  return asked.split(',').some((one) => one.trim() === '*' || one.trim().replace(/^W\//, '') === tag);
}

interface Part {
  readonly from: number;
  /** The last byte of it. */
  readonly to: number;
}
/**
 * One range of bytes is heeded. Several, other units and what is no range are not: the whole is a right
 * answer to each (section 14.2), as it is where the caller's part is of other bytes (If-Range, section
 * 13.1.5).
 */
function partOf(headers: IncomingHttpHeaders, tag: string, size: number): Part | 'all' | 'beyond' {
  const [, first = '', last = ''] = /^bytes=\s*(\d*)-(\d*)\s*$/i.exec(headers.range ?? '') ?? [];
  const ifRange = headers['if-range'];
  if ((first === '' && last === '') || (ifRange !== undefined && ifRange !== tag)) return 'all';
  // The last bytes, as many as are named.
  if (first === '') return lastBytes(Number(last), size);
  const [from, to] = [Number(first), last === '' ? size - 1 : Math.min(Number(last), size - 1)];
  if (last !== '' && Number(last) < from) return 'all';
  return from >= size ? 'beyond' : { from, to };
}
function lastBytes(count: number, size: number): Part | 'beyond' {
  return count === 0 || size === 0 ? 'beyond' : { from: Math.max(0, size - count), to: size - 1 };
}
