import { AdbreakError } from '@adbreak/shared/errors.js';

/** ISO/IEC 14496-12: what is read and set in a fragmented MP4 of ffmpeg's. */
interface Box {
  readonly type: string;
  readonly start: number;
  readonly end: number;
}
const HEADER = 8;
const CONTAINERS = ['moov', 'trak', 'mdia', 'minf', 'stbl', 'moof', 'traf'];
/** 8.8.8: a track fragment run begins with flags and the number of its samples. */
const COUNT_AT = 12;
const DATA_OFFSET = 0x1;
const FIRST_FLAGS = 0x4;
const EACH_DURATION = 0x100;

/** What comes before the first fragment, and all from there on. */
export function splitInit(file: Uint8Array): { readonly init: Uint8Array; readonly media: Uint8Array } {
  const boxes = [...boxesOf(file, 0, file.length)];
  const first = boxes.find(({ type }) => type === 'moof');
  const last = boxes.findLast(({ type }) => type === 'mdat');
  if (first === undefined || last === undefined) throw broken('it has no fragment');
  // Behind the media stands an index of the file (mfra), which is no part of a stream.
  return { init: file.slice(0, first.start), media: file.slice(first.start, last.end) };
}

/** When a track's first sample is shown and, where ffmpeg says it wrongly, how long; in ticks of the track. */
export interface TrackTimes {
  readonly start: number;
  readonly firstLasts?: number;
}

/**
 * Sets the times of each track, in order, and gives the number of samples of the first track. ffmpeg counts a fragment's time
 * (8.8.12, baseMediaDecodeTime) from its own first sample, and of a track that begins later than another it makes the first
 * sample longer.
 */
export function setTimes(media: Uint8Array, tracks: readonly TrackTimes[]): number {
  const view = new DataView(media.buffer, media.byteOffset, media.byteLength);
  const times = deep(media, 'tfdt');
  const runs = deep(media, 'trun');
  if (times.length > tracks.length || runs.length !== times.length)
    throw broken('it has other tracks than asked for');
  times.forEach(({ start }, i) => {
    if (view.getUint8(start + HEADER) !== 1) throw broken('its times have 32 bits');
    view.setBigUint64(start + HEADER + 4, BigInt(tracks[i]?.start ?? 0));
  });
  runs.forEach((run, i) => void setFirstDuration(view, run, tracks[i]?.firstLasts));
  const [run] = runs;
  return run === undefined ? 0 : view.getUint32(run.start + COUNT_AT);
}

/** 8.8.8: the samples' own fields begin behind those that the flags say; the duration is the first of them. */
function setFirstDuration(view: DataView, { start }: Box, ticks: number | undefined): void {
  const flags = view.getUint32(start + HEADER) & 0xffffff;
  if (ticks === undefined || (flags & EACH_DURATION) === 0 || view.getUint32(start + COUNT_AT) === 0) return;
  const before = (flags & DATA_OFFSET ? 4 : 0) + (flags & FIRST_FLAGS ? 4 : 0);
  view.setUint32(start + COUNT_AT + 4 + before, ticks);
}

function deep(data: Uint8Array, type: string): Box[] {
  const found: Box[] = [];
  const look = (from: number, to: number) => {
    for (const box of boxesOf(data, from, to)) {
      if (box.type === type) found.push(box);
      if (CONTAINERS.includes(box.type)) look(box.start + HEADER, box.end);
    }
  };
  look(0, data.length);
  return found;
}

function* boxesOf(data: Uint8Array, from: number, to: number): Generator<Box> {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  for (let at = from; at + HEADER <= to; ) {
    const size = view.getUint32(at);
    if (size < HEADER || at + size > to) throw broken('a box is longer than what it lies in');
    yield { type: String.fromCharCode(...data.subarray(at + 4, at + HEADER)), start: at, end: at + size };
    at += size;
  }
}

function broken(why: string): AdbreakError {
  return new AdbreakError('video_unreadable', `Cannot use the piece that ffmpeg made: ${why}`);
}
