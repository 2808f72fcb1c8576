import { readFile } from 'node:fs/promises';
import { dirname, isAbsolute, join } from 'node:path';
import { deviceId } from '@adbreak/shared/contract/messages.js';
import { check } from '@adbreak/shared/contract/parse.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { RUNTIME_CHOICES } from '@adbreak/shared/tflite/open.js';
import { DEFAULT_MODE, sourceKind } from '@adbreak/shared/video/frames.js';
import { parse } from 'yaml';
import { z } from 'zod';

const name = z.string().min(1).max(60);

/** Formats of HDMI grabbers, by ffmpeg's names. */
const DEVICE_FORMATS = [
  'auto',
  'mjpeg',
  'h264',
  'yuyv422',
  'uyvy422',
  'nv12',
  'yuv420p',
  'rgb24',
  'bgr24',
  'bgr0',
] as const;
const deviceMode = z.strictObject({
  format: z.enum(DEVICE_FORMATS).default(DEFAULT_MODE.format),
  size: z
    .string()
    .regex(/^[1-9]\d{1,3}x[1-9]\d{1,3}$/, 'it must be WIDTHxHEIGHT, as in 1280x720')
    .default(DEFAULT_MODE.size),
  framerate: z.number().min(1).max(240).default(DEFAULT_MODE.framerate),
});

/** configs/edge.yaml: what a card says. Relative paths are relative to the file. */
const config = z.strictObject({
  device: deviceId,
  hub: z.url({ protocol: /^https$/, error: 'must be an https address such as https://hub.example:8443' }),
  /** PEM of the fleet's authority: the hub is trusted because it can show a certificate from it. */
  authority: z.string(),
  /** Claim token; needed until the device is enrolled. */
  token: z.string().optional(),
  state: z.string(),
  source: z
    .strictObject({
      /** A file, a URL, or a V4L2 device. */
      input: z.string().min(1).max(1000),
      kind: z.enum(['file', 'live']),
      fps: z.number().gt(0).max(30).default(2),
      /** What the device is asked for. */
      v4l2: deviceMode.optional(),
    })
    .refine(({ input, v4l2 }) => v4l2 === undefined || sourceKind(input) === 'device', {
      path: ['v4l2'],
      error: 'it is for /dev/videoN and /dev/v4l/… alone',
    }),
  slice: z.strictObject({ channel: name, site: name, hardware: name }),
  status: z
    .strictObject({
      host: z.string().min(1).max(253).default('127.0.0.1'),
      port: z.int().min(0).max(65535).default(8080),
      /** Names of this device in its network, beside its host name. */
      names: z
        .array(
          z
            .string()
            .max(253)
            .regex(/^[\w.-]+$/),
        )
        .max(20)
        .default([]),
    })
    .prefault({}),
  windowSeconds: z.number().min(1).max(86_400).default(3600),
  /** How long an ended episode waits for a person's label. */
  labelSeconds: z.number().min(0).max(86_400).default(600),
  /** Labelled episodes that stay on this device, for federated rounds. */
  reservoir: z
    .strictObject({
      episodes: z.int().min(0).max(20_000).default(500),
      megabytes: z.number().min(1).max(10_000).default(200),
    })
    .prefault({}),
  /** What noise on federated counts may cost in all, epsilon. */
  privacy: z.strictObject({ budget: z.number().min(0).max(1000).default(20) }).prefault({}),
  runtime: z.enum(RUNTIME_CHOICES).default('auto'),
  threads: z.int().min(1).max(8).default(1),
});
export type EdgeConfig = z.infer<typeof config>;

export async function readConfig(path: string): Promise<EdgeConfig> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new AdbreakError('not_found', `Cannot read the configuration ${path}`, {
      cause,
      remedy: 'Start from configs/edge.yaml.',
    });
  });
  if (text.length > 64 * 1024)
    throw new AdbreakError(
      'input_too_large',
      `Cannot read the configuration ${path}: ${text.length} characters, at most 65536`,
      { remedy: correctIn(path) },
    );
  let value: unknown;
  try {
    value = parse(text);
  } catch (cause) {
    throw new AdbreakError('input_invalid', `Cannot read the configuration ${path}: it is not YAML`, {
      cause,
      remedy: correctIn(path),
    });
  }
  const read = check(config, value, `the configuration ${path}`, 'input_invalid', correctIn(path));
  const absolute = (file: string) => (isAbsolute(file) ? file : join(dirname(path), file));
  const { input } = read.source;
  return {
    ...read,
    authority: absolute(read.authority),
    state: absolute(read.state),
    source: { ...read.source, input: sourceKind(input) === 'file' ? absolute(input) : input },
  };
}

function correctIn(path: string): string {
  return `Correct it in ${path}: configs/edge.yaml has every field with what it means.`;
}
