import { seeded } from '@adbreak/shared/random.js';
import { Finder } from '@adbreak/shared/recurrence/finder.js';
import { Memory } from '@adbreak/shared/recurrence/memory.js';
import type { PictureWord } from '@adbreak/shared/recurrence/picture.js';
import { SOUND_RATE, SOUND_WORDS, SoundWords } from '@adbreak/shared/recurrence/sound.js';

/**
 * What a device needs whose memory is full of a month: bytes of this process beside those of an empty one, and the share
 * of a core, of this machine, that looking and listening costs. The month is words by chance, which fill every chain; then
 * noise is heard and chance is seen for some minutes, eight pictures a second.
 */
const MONTH = 30 * 24 * 3600;
const MINUTES = Number(process.env['MINUTES_EACH'] || 5);
const PICTURES = 8;

const random = seeded('a month');
const whole = () => Math.floor(random.uniform() * 2 ** 32);
const word = (bits: number) => ({
  low: whole(),
  high: bits > 32 ? whole() >>> 1 : 0,
  sureness: Float32Array.from({ length: bits }, () => random.uniform()),
});
const used = () => {
  const { arrayBuffers, heapUsed } = process.memoryUsage();
  return arrayBuffers + heapUsed;
};

global.gc?.();
const before = used();
const memory = new Memory(MONTH);
const sure = new Float32Array(0);
for (let second = 1; second <= MONTH; second++) {
  const sound = { low: whole(), high: 0, sureness: sure };
  memory.keep(second, sound, { low: whole(), high: whole() >>> 1, sureness: sure });
}
const finder = new Finder(memory);
finder.cut(MONTH + 1);
const listen = new SoundWords();
const begun = process.cpuUsage();
for (let second = 0; second < 60 * MINUTES; second++) {
  const time = MONTH + 1 + second;
  const samples = Float32Array.from({ length: SOUND_RATE }, () => random.uniform() - 0.5);
  const sounds = listen.push(samples).map((one) => ({ ...one, time: one.time + MONTH + 1 }));
  const pictures = Array.from({ length: PICTURES }, (_, i): PictureWord => {
    const state = { isFlat: false, isBlack: false, change: 10 };
    return { ...word(63), ...state, time: time + i / PICTURES };
  });
  finder.push(sounds, pictures, time);
}
const { user, system } = process.cpuUsage(begun);
global.gc?.();
const month_mb = (used() - before) / 1e6;
const core_share = (user + system) / 1e6 / (60 * MINUTES);
console.log(JSON.stringify({ bench: 'month', month_mb, core_share, words: SOUND_WORDS, pictures: PICTURES }));
