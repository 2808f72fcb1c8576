import { contradiction } from '@adbreak/shared/contract/contradiction.js';
import { digest, modelRef } from '@adbreak/shared/contract/manifest.js';
import { windowReport } from '@adbreak/shared/contract/messages.js';
import { z } from 'zod';
import { reference } from './drift.js';
import { armLabels } from './evidence.js';
import { entry, rolloutHead, round } from './rollout.js';

const at = z.iso.datetime();
const device = z.string().min(1).max(63);
const who = z.string().min(1).max(100);
const sibling = z.object({
  id: z.string(),
  log: z.number(),
  status: z.enum(['open', 'passed', 'ended']),
  difference: z.number(),
});

/** A reference of four weeks is the largest event: 672 histograms. */
export const EVENT_LIMIT = 4 * 1024 * 1024;

/** What a person may order. */
export const ORDERS = ['pause', 'resume', 'abort', 'force', 'approve', 'supersede', 'ceiling'] as const;
export type Order = (typeof ORDERS)[number];

/**
 * Everything that moves a rollout, a row each in the hub's database and a line each where it is exported: the state is a function of these events,
 * so a log can be replayed under its own plan or another one. docs/protocol/rollout-events.md.
 */
export const rolloutEvent = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('started'),
    at,
    who,
    /** The form of the gate that decides. Logs without it are of the first one, and are audited by it. */
    gate: z.literal(2),
    rollout: rolloutHead,
    ceiling: z.number().min(0).max(100).default(100),
    reference: reference.nullable().default(null),
    baseline: armLabels.nullable().default(null),
    /** What stays on another version than production since earlier rollouts: by slice (`channel=one`) or device (`device=pi-3`). */
    exceptions: z.record(z.string().max(130), modelRef).default({}),
  }),
  /** Which devices shall run the candidate, and on which it acts from now on. */
  z.strictObject({
    kind: z.literal('assigned'),
    at,
    members: z.array(device).max(100_000),
    acting: z.array(device).max(100_000),
    /** Members whose production is another version, by its digest. */
    excepted: z.record(device, digest).default({}),
  }),
  /** A log may be written by hand: its reports add up as those from devices do. */
  z.strictObject({
    kind: z.literal('window'),
    at,
    device,
    /** Windows that the device made since its last one and that never came. */
    lost: z.int().positive().optional(),
    /** Its numbers began anew since its last one (a lost spool, another card): seconds between the streams, in which windows may have been made. */
    anewAfter: z.number().nonnegative().optional(),
    report: windowReport.superRefine((report, context) => {
      const why = contradiction(report);
      if (why !== null) context.addIssue({ code: 'custom', message: why });
    }),
  }),
  /** A device says it cannot run the candidate (code), or that it can again (null); a new card under an old name counts its windows from one. */
  z.strictObject({
    kind: z.literal('device'),
    at,
    device,
    problem: z.string().max(40).nullable(),
    enrolledAgain: z.boolean().default(false),
  }),
  z.strictObject({ kind: z.literal('tick'), at, siblings: z.array(sibling).max(10).default([]) }),
  z.strictObject({
    kind: z.literal('order'),
    at,
    who,
    order: z.enum(ORDERS),
    reason: z.string().max(500),
    percent: z.number().min(0).max(100).optional(),
  }),
  /**
   * A person takes a device's evidence out, or has ended its identity: it counts for nothing from then on, nor does
   * what it gave before.
   */
  z.strictObject({ kind: z.literal('exclude'), at, who, device, reason: z.string().min(1).max(500) }),
  z.strictObject({ kind: z.literal('round'), at, round }),
  /**
   * Since the event before it the hub's clock has moved by so many hours in which no hub ran: it was down, or its
   * clock was set. They count for no soak, watch, deadline or silence. Negative where the clock went back.
   */
  z.strictObject({ kind: z.literal('uncounted'), at, hours: z.number().min(-1e8).max(1e8) }),
  /** What the hub decided then: a record, which a replay is compared with. */
  z.strictObject({ kind: z.literal('decision'), entry }),
]);
export type RolloutEvent = z.infer<typeof rolloutEvent>;
export type EventOf<K extends RolloutEvent['kind']> = Extract<RolloutEvent, { kind: K }>;
