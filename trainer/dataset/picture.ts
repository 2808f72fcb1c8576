import { readFile, stat } from 'node:fs/promises';
import { systemCode } from '@adbreak/shared/errors.js';
import { sha256 } from '@adbreak/shared/storage/atomic.js';
import sharp, { type Metadata, type OutputInfo, type Sharp } from 'sharp';
import { type Signature, signatureOf, THUMB } from './signature.js';

/** What of a folder is a picture, by its ending; what it really is, its bytes tell. */
export const PICTURE_ENDING = /\.(jpe?g|png|webp)$/i;
const FORMATS = ['jpeg', 'png', 'webp'];
const LARGEST_FILE = 64 * 1024 * 1024;
const LARGEST_PIXELS = 100_000_000;
/** In pixels: smaller ones, icons and thumbnails, show no more of a scene than a blot. */
export const SHORTEST_SIDE = 32;
/** Of what is written anew; nothing of it is left at the input sizes of the networks. */
const QUALITY = 95;

export const REFUSALS = ['unreadable', 'tiny', 'too large'] as const;
export type Refusal = (typeof REFUSALS)[number];
export const CHANGES = ['CMYK', '16-bit', 'animated', 'turned'] as const;
/** Why a picture is not taken as it is: what reads the data set later shall see what was seen here. */
export type Change = (typeof CHANGES)[number];

export interface LookedAt {
  readonly sha256: string;
  readonly signature: Signature;
  readonly width: number;
  readonly height: number;
  /** Empty where the file is taken as it is. */
  readonly changes: readonly Change[];
  /** The picture as an 8-bit JPEG, where it is not. */
  readonly rewritten: Uint8Array | null;
}

/** Opens a picture and takes its signature, or says why it is none. */
export async function lookAt(path: string): Promise<LookedAt | { readonly refusal: Refusal; why: string }> {
  try {
    const bytes = await bytesOf(path);
    if (bytes === null) return { refusal: 'too large', why: `more than ${LARGEST_FILE} bytes` };
    const metadata = await open(bytes).metadata();
    if (!FORMATS.includes(metadata.format)) return { refusal: 'unreadable', why: `it is ${metadata.format}` };
    const { width, height } = metadata;
    // Of an animated picture the height is one page's.
    if (Math.min(width, metadata.pageHeight ?? height) < SHORTEST_SIDE)
      return { refusal: 'tiny', why: `${width} x ${height} pixels` };
    const changes = changesOf(metadata);
    const anew = changes.length === 0 ? null : await rewrite(bytes);
    const rewritten = anew?.data ?? null;
    const thumb = await thumbOf(plain(open(rewritten ?? bytes)));
    const signature = signatureOf(thumb);
    const size = { width: anew?.info.width ?? width, height: anew?.info.height ?? height };
    return { sha256: sha256(rewritten ?? bytes), signature, ...size, changes, rewritten };
  } catch (error) {
    return { refusal: 'unreadable', why: firstLine(error) };
  }
}

/** RGB24 of a picture at its own size. Throws where it is none. */
export async function pixelsOf(
  bytes: Uint8Array,
): Promise<{ readonly pixels: Uint8Array; readonly width: number; readonly height: number }> {
  const { data, info } = await plain(open(bytes)).raw().toBuffer({ resolveWithObject: true });
  return { pixels: data, width: info.width, height: info.height };
}

/** RGB24 as a JPEG. */
export async function jpegOf(pixels: Uint8Array, width: number, height: number): Promise<Uint8Array> {
  return sharp(pixels, { raw: { width, height, channels: 3 } })
    .jpeg({ quality: QUALITY, chromaSubsampling: '4:4:4' })
    .toBuffer();
}

/** The signature of RGB24 pixels. */
export async function signatureOfPixels(
  pixels: Uint8Array,
  width: number,
  height: number,
): Promise<Signature> {
  return signatureOf(await thumbOf(sharp(pixels, { raw: { width, height, channels: 3 } })));
}

/** Of all pixels: what decoders leave out when they shrink differs from format to format, by up to five levels. */
async function thumbOf(picture: Sharp): Promise<Uint8Array> {
  const { width, height } = THUMB;
  return new Uint8Array(
    await picture.resize(width, height, { fit: 'fill', fastShrinkOnLoad: false }).raw().toBuffer(),
  );
}

async function bytesOf(path: string): Promise<Uint8Array | null> {
  const { size } = await stat(path);
  return size > LARGEST_FILE ? null : await readFile(path);
}

function open(bytes: Uint8Array): Sharp {
  // A file cut short is an error; a warning about a profile is none. Of several pages the first is taken.
  return sharp(bytes, { limitInputPixels: LARGEST_PIXELS, failOn: 'error', pages: 1 });
}

/** Upright, 8-bit sRGB on black, as a television shows it. */
function plain(picture: Sharp): Sharp {
  return picture.autoOrient().flatten({ background: '#000' }).toColourspace('srgb');
}

function rewrite(bytes: Uint8Array): Promise<{ data: Buffer; info: OutputInfo }> {
  const jpeg = plain(open(bytes)).jpeg({ quality: QUALITY, chromaSubsampling: '4:4:4' });
  return jpeg.toBuffer({ resolveWithObject: true });
}

function changesOf({ space, depth, pages, orientation }: Metadata): Change[] {
  const found: Record<Change, boolean> = {
    CMYK: space === 'cmyk',
    '16-bit': depth !== 'uchar',
    animated: (pages ?? 1) > 1,
    turned: (orientation ?? 1) > 1,
  };
  return CHANGES.filter((change) => found[change]);
}

function firstLine(error: unknown): string {
  const words = error instanceof Error ? error.message : String(error);
  return systemCode(error) ?? words.split('\n')[0] ?? '';
}
