import { beta, binomial } from '@adbreak/shared/draws.js';
import type { Random } from '@adbreak/shared/random.js';

/**
 * Fleets as they are in living rooms: devices share channels and so see the same episodes, days are common to all, people
 * answer some things and some of them wrongly, one device is broken, one lies. Everything is off by default: then devices
 * are independent and every disagreement is answered rightly, the world of the gate's first simulations.
 */
export interface LivingRooms {
  readonly devices: number;
  /** Channels that the devices share evenly; as many as devices where nothing is said. */
  readonly channels?: number;
  /** Devices a channel after Zipf: the n-th channel has a share proportional to n^-zipf. */
  readonly zipf?: number;
  /** Share of the windows in which all channels show what the first one shows. */
  readonly common?: number;
  /** Share of its episodes that a device sees alone: a signal, an aerial, a noise of its own. */
  readonly captureNoise?: number;
  /** Episodes that a device ends in a window; volumes differ by a factor drawn between 1/spread and spread. */
  readonly episodes: number;
  readonly spread?: number;
  /** Share of episodes on which the models differ, and candidate less production. */
  readonly disagreement: number;
  readonly difference: number;
  /** Of win or loss among one channel's disagreements: each keeps its own tendency for ever (beta-binomial). */
  readonly correlation?: number;
  /** Standard deviations of differences, share of episodes: common to a day; common to a programme's hours; a programme's on its channel alone. */
  readonly dayEffect?: number;
  readonly programmeEffect?: number;
  readonly ownProgramme?: number;
  readonly programmeWindows?: number;
  /** Standard deviation of a day's step, where each channel's difference goes its own way; and where all go one way together. */
  readonly wander?: number;
  readonly walk?: number;
  /** By channel: a difference beside the fleet's, disagreements and volume as multiples of the fleet's. */
  readonly own?: readonly number[];
  readonly differing?: readonly number[];
  readonly volumes?: readonly number[];
  /** From a window on the difference moves by so much everywhere. */
  readonly turn?: { readonly window: number; readonly by: number };
  /** Chance that nothing comes of a window in which a device lost more than it won: it was made, and its number is missing, or (`neverMade`) not even that. */
  readonly dropLosing?: number;
  readonly neverMade?: boolean;
  /** Channels' own effects with Student's t of 3 degrees: standard deviation of the scale. */
  readonly heavyTails?: number;
  readonly windowsPerDay?: number;
  /** Disagreements by hour of the day: this many times as many in the evening as at night, the mean kept. */
  readonly evening?: number;
  /** The first device differs by this instead. */
  readonly broken?: number;
  /** The last devices lie: all their disagreements (this share of episodes) are losses, or wins. `shared`: they say that they watch the first channel. */
  readonly liars?: {
    readonly count: number;
    readonly side: 'losses' | 'wins';
    readonly disagreement: number;
    readonly shared?: boolean;
  };
  readonly people?: People;
  /** Share of devices that come one after the other during the first half. */
  readonly late?: number;
}

/** How answers come: shares of the drawn that nobody answers, and of the answers that are wrong, by what is true. */
export interface People {
  /** Draw rate of every device: a power of one half. */
  readonly rate?: number;
  readonly missing?: { readonly wins: number; readonly losses: number };
  readonly wrong?: { readonly wins: number; readonly losses: number };
}
const ANSWER_ALL: People = {};

/** One device's window. */
export interface RoomWindow {
  readonly device: number;
  readonly channel: number;
  readonly rate: number;
  readonly zeros: number;
  readonly wins: number;
  readonly losses: number;
  readonly open: number;
  readonly episodes: number;
  readonly differ: number;
  /** Windows that the device made since its last one and that never came. */
  readonly lost: number;
}

const DAY = 24;

/** Window after window of a fleet; seeded. */
export class RoomStream {
  readonly rooms: LivingRooms;
  /** Channel of each device. */
  readonly channelOf: readonly number[];
  readonly channels: number;
  readonly #random: Random;
  readonly #tendency: readonly number[];
  readonly #effects: readonly number[];
  readonly #volume: readonly number[];
  #day = -1;
  #dayEffect = 0;
  #walk = 0;
  #programme = 0;
  readonly #wander: number[];
  readonly #ownProgramme: number[];
  /** By device, windows that never came since its last one. */
  readonly #dropped = new Map<number, number>();

  constructor(rooms: LivingRooms, random: Random) {
    this.rooms = rooms;
    this.#random = random;
    this.channels = Math.min(rooms.devices, rooms.channels ?? rooms.devices);
    const shared = rooms.liars?.shared === true ? rooms.devices - rooms.liars.count : rooms.devices;
    this.channelOf = spreadOver(rooms.devices, this.channels, rooms.zipf ?? 0).map((channel, device) =>
      device >= shared ? 0 : channel,
    );
    this.#tendency = Array.from({ length: this.channels }, () => tendency(rooms, random));
    this.#effects = Array.from({ length: this.channels }, () => (rooms.heavyTails ?? 0) * student3(random));
    const spread = rooms.spread ?? 1;
    this.#volume = Array.from(
      { length: this.channels },
      (_, i) => (rooms.volumes?.[i] ?? 1) * (spread === 1 ? 1 : spread ** (2 * random.uniform() - 1)),
    );
    this.#wander = Array<number>(this.channels).fill(0);
    this.#ownProgramme = Array<number>(this.channels).fill(0);
  }

  /** A window's counts of each device for which `online` says so. */
  next(window: number, online: (device: number) => boolean = () => true): RoomWindow[] {
    const { rooms } = this;
    this.#turn(window);
    const shared = (rooms.common ?? 0) > 0 && this.#random.uniform() < (rooms.common ?? 0);
    const noise = rooms.captureNoise ?? 0;
    const seen = Array.from({ length: this.channels }, (_, channel) =>
      this.#outcomes(shared ? 0 : channel, this.#episodes(channel), window),
    );
    const out: RoomWindow[] = [];
    for (let device = 0; device < rooms.devices; device++) {
      if (!online(device) || !this.#joined(device, window)) continue;
      const channel = this.channelOf[device] ?? 0;
      const outcome =
        this.#ownOutcome(device, channel, window) ?? this.#noisy(seen[channel], channel, noise, window);
      const lost = 2 * outcome.losses > outcome.differ;
      if (lost && (rooms.dropLosing ?? 0) > 0 && this.#random.uniform() < (rooms.dropLosing ?? 0)) {
        if (rooms.neverMade !== true) this.#dropped.set(device, (this.#dropped.get(device) ?? 0) + 1);
        continue;
      }
      out.push({ ...this.#answered(device, channel, outcome), lost: this.#dropped.get(device) ?? 0 });
      this.#dropped.delete(device);
    }
    return out;
  }

  #episodes(channel: number): number {
    return Math.max(1, Math.round(this.rooms.episodes * (this.#volume[channel] ?? 1)));
  }

  #joined(device: number, window: number): boolean {
    const late = this.rooms.late ?? 0;
    if (late === 0) return true;
    const first = Math.round(this.rooms.devices * (1 - late));
    return device < first || window >= device - first;
  }

  /** Day, programme and walk are drawn when they begin. */
  #turn(window: number): void {
    const { rooms } = this;
    const perDay = rooms.windowsPerDay ?? DAY;
    const day = Math.floor(window / perDay);
    if (day !== this.#day) {
      this.#day = day;
      this.#dayEffect = (rooms.dayEffect ?? 0) * (rooms.dayEffect ? this.#random.normal() : 0);
      if (rooms.walk) this.#walk += rooms.walk * this.#random.normal();
      if (rooms.wander)
        for (let i = 0; i < this.channels; i++)
          this.#wander[i] = (this.#wander[i] ?? 0) + rooms.wander * this.#random.normal();
    }
    if (window % (rooms.programmeWindows ?? 6) !== 0) return;
    if (rooms.programmeEffect) this.#programme = rooms.programmeEffect * this.#random.normal();
    if (rooms.ownProgramme)
      for (let i = 0; i < this.channels; i++)
        this.#ownProgramme[i] = rooms.ownProgramme * this.#random.normal();
  }

  /** Episodes, disagreements and losses that everybody on a channel sees. */
  #outcomes(channel: number, episodes: number, window: number): Outcome {
    const { own, differing, turn, disagreement } = this.rooms;
    const share = this.#disagreement(window) * (differing?.[channel] ?? 1);
    const differ = binomial(this.#random, episodes, share);
    const turned = turn !== undefined && window >= turn.window ? turn.by : 0;
    const common = this.#dayEffect + this.#walk + this.#programme + turned;
    const shift =
      (this.#effects[channel] ?? 0) +
      (this.#wander[channel] ?? 0) +
      (this.#ownProgramme[channel] ?? 0) +
      (own?.[channel] ?? 0) +
      common;
    const lose = Math.min(1, Math.max(0, (this.#tendency[channel] ?? 0.5) - shift / (2 * disagreement)));
    return { episodes, differ, losses: binomial(this.#random, differ, lose) };
  }

  #disagreement(window: number): number {
    const { disagreement, evening = 1, windowsPerDay = DAY } = this.rooms;
    if (evening === 1) return disagreement;
    // Twelve hours each: nights under the mean, evenings above it.
    const night = (2 * disagreement) / (1 + evening);
    return (window % windowsPerDay) / windowsPerDay < 0.5 ? night : evening * night;
  }

  /** A broken or a lying device has outcomes of its own. */
  #ownOutcome(device: number, channel: number, window: number): Outcome | null {
    const { broken, liars, devices, disagreement } = this.rooms;
    const episodes = this.#episodes(channel);
    if (liars !== undefined && device >= devices - liars.count) {
      const differ = binomial(this.#random, episodes, liars.disagreement);
      return { episodes, differ, losses: liars.side === 'losses' ? differ : 0 };
    }
    if (broken === undefined || device !== 0) return null;
    const share = Math.min(1, Math.max(this.#disagreement(window), Math.abs(broken) + disagreement / 2));
    const differ = binomial(this.#random, episodes, share);
    return {
      episodes,
      differ,
      losses: binomial(this.#random, differ, Math.min(1, Math.max(0, (1 - broken / share) / 2))),
    };
  }

  /** What a device makes of its channel's window: a share of the episodes is replaced by its own. */
  #noisy(seen: Outcome | undefined, channel: number, noise: number, window: number): Outcome {
    const all = seen ?? { episodes: 0, differ: 0, losses: 0 };
    if (noise === 0) return all;
    const kept = binomial(this.#random, all.episodes, 1 - noise);
    const differ = hypergeometric(this.#random, all.episodes, all.differ, kept);
    const own = this.#outcomes(channel, all.episodes - kept, window);
    return {
      episodes: all.episodes,
      differ: differ + own.differ,
      losses: hypergeometric(this.#random, all.differ, all.losses, differ) + own.losses,
    };
  }

  #answered(
    device: number,
    channel: number,
    { episodes, differ, losses }: Outcome,
  ): Omit<RoomWindow, 'lost'> {
    const { rate = 1, missing, wrong } = this.rooms.people ?? ANSWER_ALL;
    const [drawnLosses, drawnWins] =
      rate === 1
        ? [losses, differ - losses]
        : [binomial(this.#random, losses, rate), binomial(this.#random, differ - losses, rate)];
    const silentLosses = missing === undefined ? 0 : binomial(this.#random, drawnLosses, missing.losses);
    const silentWins = missing === undefined ? 0 : binomial(this.#random, drawnWins, missing.wins);
    const turnedLosses =
      wrong === undefined ? 0 : binomial(this.#random, drawnLosses - silentLosses, wrong.losses);
    const turnedWins = wrong === undefined ? 0 : binomial(this.#random, drawnWins - silentWins, wrong.wins);
    return {
      device,
      channel,
      rate,
      episodes,
      differ,
      zeros: episodes - drawnLosses - drawnWins,
      wins: drawnWins - silentWins - turnedWins + turnedLosses,
      losses: drawnLosses - silentLosses - turnedLosses + turnedWins,
      open: silentLosses + silentWins,
    };
  }
}

interface Outcome {
  readonly episodes: number;
  readonly differ: number;
  readonly losses: number;
}

/** A channel's chance to lose a disagreement: (1 - Δ/δ)/2 on average. */
export function tendency(
  {
    disagreement,
    difference,
    correlation = 0,
  }: Pick<LivingRooms, 'disagreement' | 'difference' | 'correlation'>,
  random: Random,
): number {
  const mean = Math.min(1, Math.max(0, (1 - difference / disagreement) / 2));
  if (correlation <= 0 || mean === 0 || mean === 1) return mean;
  const strength = 1 / correlation - 1;
  return beta(random, mean * strength, (1 - mean) * strength);
}

/** Devices on channels: evenly, or after Zipf; every channel has one at least. */
function spreadOver(devices: number, channels: number, zipf: number): number[] {
  if (zipf === 0) return Array.from({ length: devices }, (_, i) => i % channels);
  const weights = Array.from({ length: channels }, (_, i) => (i + 1) ** -zipf);
  const total = weights.reduce((a, b) => a + b, 0);
  let sum = 0;
  const ends = weights.map((weight) => {
    sum += weight / total;
    return sum;
  });
  return Array.from({ length: devices }, (_, i) => {
    if (i < channels) return i;
    const at = (i - channels + 0.5) / Math.max(1, devices - channels);
    return Math.max(
      0,
      ends.findIndex((end) => at <= end),
    );
  });
}

/** Student's t with 3 degrees of freedom, scaled to a standard deviation of one. */
function student3(random: Random): number {
  const chi = random.normal() ** 2 + random.normal() ** 2 + random.normal() ** 2;
  return random.normal() / Math.sqrt(chi / 3) / Math.sqrt(3);
}

/** How many of `marked` among `all` are in a sample of `size`; by drawing one after the other. */
function hypergeometric(random: Random, all: number, marked: number, size: number): number {
  let [left, there, found] = [all, marked, 0];
  for (let i = 0; i < size; i++) {
    if (random.uniform() < there / left) {
      found += 1;
      there -= 1;
    }
    left -= 1;
  }
  return found;
}
