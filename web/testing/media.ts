import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A recording as a player wants it: one fragmented MP4, cut where its fragments begin. */
export interface Media {
  readonly source: string;
  readonly duration: number;
  readonly init: Buffer;
  readonly pieces: readonly Buffer[];
  readonly starts: readonly number[];
  readonly frames: Float64Array;
}

const ffmpeg = (...args: string[]) =>
  execFileSync('ffmpeg', ['-hide_banner', '-loglevel', 'error', '-y', ...args], { maxBuffer: 2 ** 30 });

/** Draws a broadcast of sorts: moving bars with sound, each `change` seconds another hue and tone. */
export function drawBroadcast(
  folder: string,
  name: string,
  seconds: number,
  rate = 25,
  size = '640x360',
): string {
  const path = join(folder, name);
  ffmpeg(
    ...['-f', 'lavfi', '-i', `testsrc2=s=${size}:r=${rate}:d=${seconds}`],
    ...[
      '-f',
      'lavfi',
      '-i',
      `aevalsrc='sin(2*PI*t*(220+110*floor(mod(t/15,4))))*(0.3+0.2*sin(t))':d=${seconds}:s=48000`,
    ],
    ...['-vf', "hue=h='floor(t/15)*70'", '-pix_fmt', 'yuv420p'],
    ...[
      '-c:v',
      'libx264',
      '-profile:v',
      'baseline',
      '-preset',
      'ultrafast',
      '-g',
      String(rate * 4),
      '-sc_threshold',
      '0',
    ],
    ...['-c:a', 'aac', '-b:a', '64k', path],
  );
  return path;
}

/** Hours out of a minute, without encoding them: the same minute again and again. */
export function drawHours(folder: string, name: string, hours: number): string {
  const minute = drawBroadcast(folder, `minute-of-${name}`, 60, 5, '160x90');
  const path = join(folder, name);
  ffmpeg('-stream_loop', String(hours * 60 - 1), '-i', minute, '-c', 'copy', path);
  return path;
}

export function readMedia(folder: string, source: string): Media {
  const path = join(folder, 'fragments.mp4');
  ffmpeg('-i', source, '-c', 'copy', '-movflags', 'frag_keyframe+empty_moov+default_base_moof', path);
  const { init, pieces } = fragmentsOf(readFileSync(path));
  const packets = packetsOf(path);
  const starts = packets.filter(({ isKey }) => isKey).map(({ time }, i) => (i === 0 ? 0 : time));
  const duration = Number(probe(path, '-show_entries', 'format=duration'));
  return { source, duration, init, pieces, starts, frames: Float64Array.from(packets, ({ time }) => time) };
}

const probe = (path: string, ...args: string[]) =>
  execFileSync('ffprobe', ['-v', 'error', ...args, '-of', 'csv=p=0', path], {
    encoding: 'utf8',
    maxBuffer: 2 ** 30,
  });

function packetsOf(path: string): { time: number; isKey: boolean }[] {
  return probe(path, '-select_streams', 'v:0', '-show_entries', 'packet=pts_time,flags')
    .trim()
    .split('\n')
    .map((line) => {
      const [time, flags = ''] = line.split(',');
      return { time: Number(time), isKey: flags.startsWith('K') };
    })
    .sort((a, b) => a.time - b.time);
}

/** Boxes of ISO/IEC 14496-12: all before the first moof begins every piece, each moof goes with its mdat. */
function fragmentsOf(file: Buffer): { init: Buffer; pieces: Buffer[] } {
  const marks: number[] = [];
  let end = 0;
  while (end + 8 <= file.length) {
    const type = file.toString('latin1', end + 4, end + 8);
    if (type === 'moof' || type === 'mfra') marks.push(end);
    end += file.readUInt32BE(end) || file.length;
  }
  const pieces = marks.map((at, i) => file.subarray(at, marks[i + 1] ?? file.length));
  const media = pieces.filter((piece) => piece.toString('latin1', 4, 8) === 'moof');
  return { init: file.subarray(0, marks[0]), pieces: media };
}

export function pictureOf(source: string, time: number, width: number): Buffer {
  const at = ['-ss', Math.max(0, time).toFixed(6), '-i', source, '-frames:v', '1'];
  return ffmpeg(...at, '-vf', `scale=${width}:-2`, '-f', 'mjpeg', '-q:v', '4', 'pipe:1');
}
