import { z } from 'zod';

/**
 * What the labelling page and its server say to each other, under /api of `adbreak label`. Times are seconds of media
 * time, from the recording's start as players count it; an end is not part of its stretch.
 */

/** Ten years, as in labels files. */
const LONGEST_SECONDS = 10 * 365 * 24 * 3600;
const seconds = z.number().min(0).max(LONGEST_SECONDS);
const label = z.enum(['ad', 'content']);
/** Sixteen hexadecimal digits out of the recording's own bytes: the same under another name. */
export const recordingId = z.string().regex(/^[0-9a-f]{16}$/, 'must be 16 hexadecimal digits');
const uuid = z.uuid();
export const labellerName = z
  .string()
  .min(1)
  .max(40)
  .regex(/^[\p{L}\p{N}][\p{L}\p{N} ._-]*$/u, 'must be letters, digits, spaces, dots, dashes');
const spotId = z.string().min(1).max(64);
const stretch = z.strictObject({ recording: recordingId, start: seconds, end: seconds });
/** How many airings one key may mean. */
const AIRINGS = 10_000;

/**
 * How a label came about: switched while it played, by a key on a selected stretch, by a key on a spot, by moving a
 * border, from a file, or as the last word in a dispute.
 */
export const LABEL_WAYS = ['play', 'key', 'spot', 'nudge', 'import', 'verdict'] as const;

/** What a person did. `id` is the page's own: the same one sent again is taken once. */
export const labelActionSchema = z.discriminatedUnion('kind', [
  /** Paints a stretch; null takes the label away. */
  z.strictObject({
    kind: z.literal('paint'),
    id: uuid,
    recording: recordingId,
    start: seconds,
    end: seconds,
    label: label.nullable(),
    how: z.enum(LABEL_WAYS),
  }),
  /** While it plays the newest stretch grows: its end moves, nothing else. */
  z.strictObject({ kind: z.literal('extend'), id: uuid, of: uuid, end: seconds }),
  /** All airings of a spot at once, as the page showed them. */
  z.strictObject({
    kind: z.literal('spot'),
    id: uuid,
    spot: spotId,
    label: label.nullable(),
    airings: z.array(stretch).min(1).max(AIRINGS),
  }),
  /** Takes back this labeller's newest action that still stands, or the one named. */
  z.strictObject({ kind: z.literal('undo'), id: uuid, of: uuid.optional() }),
  /** Puts the newest one that was taken back in force again. */
  z.strictObject({ kind: z.literal('redo'), id: uuid }),
]);
export type LabelAction = z.infer<typeof labelActionSchema>;

/** POST /api/events {labeller, action}: answered once it is on disk. */
export const labelPostSchema = z.strictObject({ labeller: labellerName, action: labelActionSchema });

/** A label that stands. */
export const labelledSpanSchema = z.object({
  start: seconds,
  end: seconds,
  label,
  how: z.enum(LABEL_WAYS),
  /** The action that it came from. */
  action: uuid,
  spot: spotId.optional(),
});
export type LabelledSpan = z.infer<typeof labelledSpanSchema>;

/** The answer, and the event `labels` of GET /api/stream (server-sent): what stands now in the recordings it touched. */
export const labelsChangedSchema = z.object({
  /** Counts events of the log, from 1. */
  sequence: z.int().min(0),
  labeller: labellerName,
  changed: z.array(z.object({ recording: recordingId, spans: z.array(labelledSpanSchema) })),
  /** What U and its opposite would do now, in words; null for nothing. */
  undo: z.string().nullable(),
  redo: z.string().nullable(),
});
export type LabelsChanged = z.infer<typeof labelsChangedSchema>;

/** One of GET /api/recordings: `{recordings: [...]}`; the event `recording` of the stream, too. */
export const labelRecordingSchema = z.object({
  id: recordingId,
  /** Its path below the video folder; further names of the same bytes follow. */
  name: z.string(),
  aliases: z.array(z.string()),
  duration: seconds,
  /** As it is to be shown, in pixels; 0 of a recording that cannot be read. */
  width: z.int().min(0),
  height: z.int().min(0),
  hasSound: z.boolean(),
  /** What is known of it beside its pictures; a reason in `problem` where it failed. */
  analysis: z.enum(['waiting', 'running', 'ready', 'failed']),
  /** 0 to 1. */
  progress: z.number().min(0).max(1),
  problem: z.string().nullable(),
  /** Seconds that have a label, by labeller. */
  labelled: z.record(z.string(), z.object({ ad: seconds, content: seconds })),
});
export type LabelRecording = z.infer<typeof labelRecordingSchema>;

/** GET /api/recordings/{id}/labels?labeller= */
export const labelsSchema = z.object({
  sequence: z.int().min(0),
  spans: z.array(labelledSpanSchema),
  /** As in `labelsChangedSchema`. */
  undo: z.string().nullable(),
  redo: z.string().nullable(),
});
export type Labels = z.infer<typeof labelsSchema>;

/** GET /api/recordings/{id}/signals: for the timeline, once its analysis is ready. */
export const labelSignalsSchema = z.object({
  /** Loudness 0 to 1, one value each `waveStep` seconds from 0; empty without sound. */
  waveStep: z.number().positive(),
  wave: z.array(z.number().min(0).max(1)),
  cuts: z.array(seconds),
  black: z.array(z.tuple([seconds, seconds])),
  silence: z.array(z.tuple([seconds, seconds])),
  /** p(ad) by the model, where there is one: [time, p]. */
  model: z.array(z.tuple([seconds, z.number().min(0).max(1)])),
  modelName: z.string().nullable(),
});
export type LabelSignals = z.infer<typeof labelSignalsSchema>;

export const RECURRENCE_CLASSES = ['spot', 'ident', 'trailer', 'repeat', 'replay'] as const;

/** What `adbreak recurrence scan --format json` writes, with names of files for recordings; GET /api/spots with ids. */
export const recurrenceSchema = z.object({
  spots: z.array(
    z.object({
      id: spotId,
      class: z.enum(RECURRENCE_CLASSES),
      /** 0 to 1: of the class. */
      confidence: z.number().min(0).max(1),
      /** Why that class, in words. */
      why: z.string().max(300),
      airings: z.array(
        z.object({
          recording: z.string().max(4096),
          start: seconds,
          end: seconds,
          /** 0 to 1: that it is the same material. */
          confidence: z.number().min(0).max(1),
        }),
      ),
    }),
  ),
});
export type Recurrence = z.infer<typeof recurrenceSchema>;
export type Spot = Recurrence['spots'][number];

/** One of GET /api/queue?labeller=; the best first. Which items are hidden control items is not said. */
export const queueItemSchema = z.object({
  recording: recordingId,
  start: seconds,
  end: seconds,
  spot: spotId.nullable(),
  /** How many stretches one key settles. */
  airings: z.int().positive(),
  /** P(wrong) x airings. */
  gain: z.number().min(0),
  why: z.string(),
  /** What would be guessed, and how surely. */
  guess: label.nullable(),
});
export type QueueItem = z.infer<typeof queueItemSchema>;

export const queueSchema = z.object({
  items: z.array(queueItemSchema),
  /** Whether control items may be among them: another person's labels, or a file's, are there to compare with. */
  control: z.boolean(),
});

/** GET /api/agreement: how far labellers agree, and where they do not. */
export const agreementSchema = z.object({
  pairs: z.array(
    z.object({
      a: labellerName,
      b: labellerName,
      /** Cohen's kappa on seconds that both labelled; null where one of them used one label alone. */
      kappa: z.number().min(-1).max(1).nullable(),
      seconds,
    }),
  ),
  /** Hidden control items: answered, and right. */
  control: z.array(z.object({ labeller: labellerName, answered: z.int(), right: z.int() })),
  disputes: z.array(
    z.object({
      recording: recordingId,
      start: seconds,
      end: seconds,
      says: z.record(z.string(), label),
    }),
  ),
});
export type Agreement = z.infer<typeof agreementSchema>;

/**
 * GET /api/recordings/{id}/pieces: what the player needs. `codecs` for addSourceBuffer. GET …/pieces/init and …/pieces/{n}
 * are fragmented MP4 with the recording's own times (no timestampOffset is needed); a piece that is not there is made first.
 */
export const piecesSchema = z.object({
  codecs: z.string(),
  /** Borders of the pieces: piece n plays from starts[n] to starts[n + 1], the last to the duration. */
  starts: z.array(seconds),
  /** Those that are made already. */
  ready: z.array(z.int().min(0)),
});
export type Pieces = z.infer<typeof piecesSchema>;

/** The event `piece` of the stream: one more is made. */
export const pieceMadeSchema = z.object({ recording: recordingId, piece: z.int().min(0) });
export type PieceMade = z.infer<typeof pieceMadeSchema>;

/**
 * GET /api/recordings/{id}/frames: times of all frames as little-endian Float64, in order. GET …/picture?time=&width=: the
 * frame that is on then, as JPEG. POST /api/save: writes all exports now.
 */
export const savedSchema = z.object({
  files: z.array(z.string()),
  /** What was left out, in words: seconds on which labellers disagree, recordings that cannot be read. */
  leftOut: z.array(z.string()),
});
export type Saved = z.infer<typeof savedSchema>;

/**
 * GET /api/stream: server-sent events `labels`, `recording`, `piece` and `spots` (no data worth reading: ask again). The id
 * of `labels` is its sequence; after a break the browser says the last one (Last-Event-ID), or `?after=` does, and what
 * changed since comes first. A refusal of any address is `{error, message, remedy}` with the status of its code.
 */

/** GET /api/session: who one may be, and what the server has. */
export const labelSessionSchema = z.object({
  labellers: z.array(labellerName),
  outputDir: z.string(),
  videoDir: z.string(),
  hasModel: z.boolean(),
  /** What is known of what repeats; `none` where nothing looks for it. */
  recurrence: z.enum(['none', 'running', 'ready', 'failed']),
  version: z.string(),
});
export type LabelSession = z.infer<typeof labelSessionSchema>;
