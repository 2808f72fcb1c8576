import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { loopVideo } from '@adbreak/shared/testing/temporary.js';

/** A broadcast of sorts: moving bars with sound; each fifteen seconds another hue and tone. */
export function drawBroadcast(
  path: string,
  { seconds, rate = 25, size = '640x360', hasSound = true }: Drawn,
): void {
  const sound = `aevalsrc='sin(2*PI*t*(220+110*floor(mod(t/15,4))))*(0.3+0.2*sin(t))':d=${seconds}:s=48000`;
  execFileSync('ffmpeg', [
    ...['-hide_banner', '-loglevel', 'error', '-y'],
    ...['-f', 'lavfi', '-i', `testsrc2=s=${size}:r=${rate}:d=${seconds}`],
    ...(hasSound ? ['-f', 'lavfi', '-i', sound, '-c:a', 'aac', '-b:a', '64k'] : []),
    ...['-vf', "hue=h='floor(t/15)*70'", '-pix_fmt', 'yuv420p'],
    ...['-c:v', 'libx264', '-preset', 'ultrafast', '-g', String(rate * 4), `file:${path}`],
  ]);
}
interface Drawn {
  readonly seconds: number;
  readonly rate?: number;
  readonly size?: string;
  readonly hasSound?: boolean;
}

/** Hours out of one minute, without encoding it again. */
export async function drawHours(folder: string, name: string, hours: number, made: string): Promise<void> {
  const minute = join(made, 'minute.mp4');
  drawBroadcast(minute, { seconds: 60, rate: 5, size: '160x90' });
  await loopVideo(minute, join(folder, name), hours * 60);
}

const airing = (recording: string, start: number) => ({
  recording,
  start,
  end: start + 15,
  confidence: 0.97,
});
const spot = (id: string, airings: readonly (readonly [string, number])[]) => ({
  id,
  class: 'spot',
  confidence: 0.94,
  why: `${airings.length} airings of 15 s, all in breaks`,
  airings: airings.map(([recording, start]) => airing(recording, start)),
});

/** What `adbreak recurrence scan --format json` would say of an evening: one spot in both recordings, one in the first. */
export const spotsOf = (first: string, second: string) => ({
  spots: [
    spot('S1', [
      [first, 30],
      [first, 90],
      [second, 15],
    ]),
    spot('S2', [
      [first, 45],
      [first, 105],
    ]),
  ],
});
