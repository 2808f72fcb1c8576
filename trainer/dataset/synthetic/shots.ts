import { type Random, seeded } from '@adbreak/shared/random.js';
import * as art from './art.js';
import type { Canvas, Picture } from './canvas.js';
import type { Channel, Genre } from './channels.js';
import type { AdvertStyle, Item } from './schedule.js';

/** A camera position: draws itself at `t` seconds from its start; `progress` runs from 0 to 1. */
export interface Shot {
  readonly seconds: number;
  draw(canvas: Canvas, t: number, progress: number): void;
}

/** The shots of an item, cut at random; together as long as the item. */
export async function shotsOf(item: Item, channel: Channel): Promise<Shot[]> {
  const random = seeded(item.seed);
  switch (item.kind) {
    case 'black':
      return [{ seconds: item.seconds, draw: (canvas) => void canvas.rgb.fill(0) }];
    case 'scene':
      return sceneShots(random, item.genre, channel, item.seconds);
    case 'replay':
      return [await replayShot(random, item.genre, channel, item)];
    case 'ident':
      return [await identShot(random, channel, item.seconds)];
    case 'trailer':
      return trailerShots(random, channel, item.seconds);
    case 'advert':
      return advertShots(random, item.style, item.seconds);
  }
}

/** Cuts `seconds` into pieces of about the given length. */
function cuts(random: Random, seconds: number, shortest: number, longest: number): number[] {
  const pieces: number[] = [];
  for (let left = seconds; left > 0.05; ) {
    const piece = Math.min(left, Math.round(random.between(shortest, longest) * 10) / 10);
    const rest = left - piece < shortest ? left : piece;
    pieces.push(rest);
    left -= rest;
  }
  return pieces;
}

async function sceneShots(random: Random, genre: Genre, channel: Channel, seconds: number): Promise<Shot[]> {
  const make = { interview: interviewShot, sport: sportShot, news: newsShot, drama: dramaShot }[genre];
  const shots: Shot[] = [];
  for (const length of cuts(random, seconds, 3, 7)) shots.push(await make(random, channel, length));
  return shots;
}

/** The last shot of the scene at half its speed, with a word on it, as sport shows it. */
async function replayShot(
  random: Random,
  genre: Genre,
  channel: Channel,
  { seconds, sceneSeconds }: { seconds: number; sceneSeconds: number },
): Promise<Shot> {
  const last = (await sceneShots(random, genre, channel, sceneSeconds)).at(-1);
  const word = await art.plate(70, 18, '#000a', [{ text: 'REPLAY', size: 12, fill: '#fff' }]);
  return {
    seconds,
    draw: (canvas, t, progress) => {
      last?.draw(canvas, t / 2, progress / 2);
      canvas.sprite(word, canvas.width - 50, canvas.height - 22);
    },
  };
}

/** The channel's name on its colour: loud as an advertisement, and none. */
async function identShot(random: Random, channel: Channel, seconds: number): Promise<Shot> {
  const ground = await art.studio(random, channel.hue);
  const name = await art.plate(200, 70, art.hsl(channel.hue, 80, 45), [
    { text: channel.name.toUpperCase(), size: 40, fill: '#fff' },
  ]);
  return {
    seconds,
    draw: (canvas, _, progress) => {
      canvas.backdrop(ground, progress, 0.5, 1.1);
      canvas.sprite(name, canvas.width / 2, canvas.height / 2, 0.6 + 0.4 * Math.min(1, progress * 2));
    },
  };
}

async function interviewShot(random: Random, channel: Channel, seconds: number): Promise<Shot> {
  const backdrop =
    random.uniform() < 0.5
      ? await art.studio(random, channel.hue + random.between(-40, 40))
      : await art.scenery(random);
  const guests = await Promise.all(
    Array.from({ length: 1 + random.integer(2) }, () => art.person(random, random.between(110, 150))),
  );
  const third =
    random.uniform() < 0.5
      ? await art.plate(150, 26, art.hsl(channel.hue, 60, 30), [
          { text: art.brandName(random), size: 13, fill: '#fff' },
        ])
      : null;
  const sway = guests.map(() => random.between(0, 6));
  return {
    seconds,
    draw: (canvas, t, progress) => {
      canvas.backdrop(backdrop, 0.4 + progress * 0.05, 0.5, 1.3);
      guests.forEach((guest, i) =>
        canvas.sprite(
          guest,
          canvas.width * ((i + 1) / (guests.length + 1)) + 3 * Math.sin(t * 1.7 + (sway[i] ?? 0)),
          canvas.height - guest.height / 2 + 2 * Math.sin(t * 5 + (sway[i] ?? 0)),
        ),
      );
      if (third !== null && progress > 0.2) canvas.sprite(third, 90, canvas.height - 26);
    },
  };
}

async function sportShot(random: Random, _: Channel, seconds: number): Promise<Shot> {
  const backdrop = await art.pitch(random);
  const shirts = [art.hsl(random.between(0, 360), 80, 45), art.hsl(random.between(0, 360), 80, 75)];
  const players = await Promise.all(
    Array.from({ length: 10 }, (_, i) => art.player(random, shirts[i % 2] ?? '#fff')),
  );
  const paths = players.map(() => ({
    x: random.between(10, 310),
    y: random.between(70, 165),
    fx: random.between(0.3, 1.4),
    fy: random.between(0.3, 1.2),
    phase: random.between(0, 6),
  }));
  const bug = await art.plate(92, 20, '#111c', [
    {
      text: `${art.brandName(random).slice(0, 3).toUpperCase()} ${random.integer(4)}:${random.integer(4)}`,
      size: 12,
      fill: '#fff',
    },
  ]);
  const close = random.uniform() < 0.3 ? await art.person(random, 160) : null;
  const zoom = random.between(1, 1.8);
  const direction = random.pick([-1, 1]);
  return {
    seconds,
    draw: (canvas, t, progress) => {
      canvas.backdrop(backdrop, 0.5 + direction * (progress - 0.5) * 0.8, 0.6, zoom);
      if (close === null) {
        players.forEach((player, i) => {
          const path = paths[i];
          if (path !== undefined)
            canvas.sprite(
              player,
              path.x + 30 * Math.sin(path.fx * t + path.phase) - direction * progress * 60,
              path.y + 14 * Math.cos(path.fy * t + path.phase),
              zoom,
            );
        });
      } else canvas.sprite(close, canvas.width / 2 + 8 * Math.sin(t * 2), canvas.height - close.height / 2);
      canvas.sprite(bug, 62, 18);
    },
  };
}

async function newsShot(random: Random, channel: Channel, seconds: number): Promise<Shot> {
  const backdrop = random.uniform() < 0.6 ? await art.studio(random, channel.hue) : await art.scenery(random);
  const anchor = random.uniform() < 0.7 ? await art.person(random, 130) : null;
  const x = random.between(90, 230);
  const headline = Array.from({ length: 7 }, () => art.brandName(random)).join('  ·  ');
  const ticker = await art.plate(
    640,
    18,
    art.hsl(channel.hue, 70, 25),
    [{ text: headline, size: 11, fill: '#fff' }],
    0,
  );
  const inset =
    random.uniform() < 0.4
      ? await art.plate(96, 60, art.hsl(channel.hue + 30, 40, 55), [
          { text: art.brandName(random), size: 14, fill: '#fff' },
        ])
      : null;
  return {
    seconds,
    draw: (canvas, t) => {
      canvas.backdrop(backdrop, 0.5, 0.4, 1.2);
      if (anchor !== null) canvas.sprite(anchor, x + 2 * Math.sin(t * 2), canvas.height - 62);
      if (inset !== null) canvas.sprite(inset, x < 160 ? 250 : 70, 60);
      canvas.sprite(ticker, canvas.width - t * 22, canvas.height - 9);
    },
  };
}

async function dramaShot(random: Random, channel: Channel, seconds: number): Promise<Shot> {
  const shot = await storyShot(random, seconds);
  return channel.letterboxed
    ? {
        seconds,
        draw: (canvas, t, progress) => {
          shot.draw(canvas, t, progress);
          canvas.letterbox(2.39);
        },
      }
    : shot;
}

/** People somewhere: what films and the better commercials have in common. */
async function storyShot(random: Random, seconds: number): Promise<Shot> {
  const backdrop = await art.scenery(random);
  const people = await Promise.all(
    Array.from({ length: random.integer(3) }, () => art.person(random, random.between(60, 150))),
  );
  const from = [random.uniform(), random.uniform()] as const;
  const drift = [random.between(-0.5, 0.5), random.between(-0.2, 0.2)] as const;
  const light = random.between(0.55, 1);
  const walk = random.between(-14, 14);
  return {
    seconds,
    draw: (canvas, t, progress) => {
      canvas.backdrop(
        backdrop,
        from[0] + drift[0] * progress,
        from[1] + drift[1] * progress,
        1.25 + 0.15 * progress,
      );
      people.forEach((one, i) =>
        canvas.sprite(
          one,
          canvas.width * (0.3 + 0.35 * i) + walk * t,
          canvas.height - one.height / 2 + 2 * Math.abs(Math.sin(t * 4 + i)),
        ),
      );
      canvas.fade(light);
    },
  };
}

/** The channel's own trailer: pictures and big words, but still content, with the logo on. */
async function trailerShots(random: Random, channel: Channel, seconds: number): Promise<Shot[]> {
  const words = await art.plate(220, 60, art.hsl(channel.hue, 70, 35), [
    { text: `Tonight ${18 + random.integer(5)}:${random.pick(['00', '15', '30'])}`, size: 20, fill: '#fff' },
    { text: art.brandName(random), size: 18, fill: '#fe8' },
  ]);
  const shots: Shot[] = [];
  for (const length of cuts(random, seconds, 1.5, 3)) {
    const shot = await storyShot(random, length);
    shots.push({
      seconds: length,
      draw: (canvas, t, progress) => {
        shot.draw(canvas, t, progress);
        if (shots.length % 2 === 0 || progress > 0.4) canvas.sprite(words, 160, 130);
      },
    });
  }
  return shots;
}

async function advertShots(random: Random, style: AdvertStyle, seconds: number): Promise<Shot[]> {
  const brand = {
    name: art.brandName(random),
    hue: random.between(0, 360),
    thing: await art.product(random),
  };
  const pieces = cuts(random, seconds, 1.6, 4);
  const shots: Shot[] = [];
  for (const [i, length] of pieces.entries()) {
    if (i === pieces.length - 1) shots.push(await endCard(random, brand, length));
    else if (style === 'story') shots.push(await sloganShot(random, brand, length));
    else if (style === 'spokesman' && i % 2 === 0) shots.push(await spokesmanShot(random, brand, length));
    else shots.push(await offerShot(random, brand, length));
  }
  return shots;
}

interface Brand {
  readonly name: string;
  readonly hue: number;
  readonly thing: Picture;
}

async function offerShot(random: Random, brand: Brand, seconds: number): Promise<Shot> {
  const backdrop = random.uniform() < 0.5 ? await art.scenery(random) : await art.studio(random, brand.hue);
  const price = await art.plate(
    96,
    44,
    random.pick(['#e3001b', '#ffd400', '#ff7a00', art.hsl(brand.hue, 80, 40)]),
    [
      {
        text: `${1 + random.integer(98)}.${random.pick(['99', '95', '49'])} €`,
        size: 20,
        fill: random.pick(['#fff', '#111']),
      },
    ],
    8,
  );
  const words = await art.plate(170, 30, '#0000', [
    { text: `${brand.name} ${random.pick(['Fresh', 'Max', 'Now', 'Plus'])}`, size: 20, fill: '#fff' },
  ]);
  const side = random.pick([-1, 1]);
  const priced = random.uniform() < 0.6;
  return {
    seconds,
    draw: (canvas, t, progress) => {
      canvas.backdrop(backdrop, progress, 0.5, 1.2);
      canvas.sprite(brand.thing, 160 - side * 50, 95, 0.8 + 0.4 * progress);
      canvas.sprite(words, 160 + side * 50, 40 + 3 * Math.sin(t * 3));
      if (priced && progress > 0.3) canvas.sprite(price, 160 + side * 70, 128);
    },
  };
}

/** A film scene that the brand has signed, more often than not. */
async function sloganShot(random: Random, brand: Brand, seconds: number): Promise<Shot> {
  const shot = await storyShot(random, seconds);
  const slogan = await art.plate(200, 28, '#0000', [
    {
      text: `${brand.name}. ${random.pick(['For you.', 'Feel it.', 'Just more.', 'Why wait?'])}`,
      size: 17,
      fill: '#fff',
    },
  ]);
  const signed = random.uniform() < 0.65;
  return {
    seconds,
    draw: (canvas, t, progress) => {
      shot.draw(canvas, t, progress);
      if (signed && progress > 0.15) canvas.sprite(slogan, 160, 150);
    },
  };
}

async function spokesmanShot(random: Random, brand: Brand, seconds: number): Promise<Shot> {
  const shot = await interviewLike(random, seconds);
  return {
    seconds,
    draw: (canvas, t, progress) => {
      shot.draw(canvas, t, progress);
      canvas.sprite(brand.thing, 262, 125, 0.7);
    },
  };
}
async function interviewLike(random: Random, seconds: number): Promise<Shot> {
  const backdrop = await art.scenery(random);
  const speaker = await art.person(random, random.between(120, 155));
  return {
    seconds,
    draw: (canvas, t) => {
      canvas.backdrop(backdrop, 0.5, 0.5, 1.3);
      canvas.sprite(
        speaker,
        130 + 3 * Math.sin(t * 2),
        canvas.height - speaker.height / 2 + 2 * Math.sin(t * 5),
      );
    },
  };
}

async function endCard(random: Random, brand: Brand, seconds: number): Promise<Shot> {
  const ground = await art.draw(
    art.BACKDROP.width,
    art.BACKDROP.height,
    `<rect width="480" height="270" fill="${random.pick(['#fff', '#111', art.hsl(brand.hue, 70, 45)])}"/>`,
  );
  const card = await art.plate(
    230,
    84,
    art.hsl(brand.hue, 70, 35),
    [
      { text: brand.name, size: 34, fill: '#fff' },
      { text: `${brand.name.toLowerCase()}.example`, size: 14, fill: '#fff' },
    ],
    12,
  );
  return {
    seconds,
    draw: (canvas, _, progress) => {
      canvas.backdrop(ground, 0, 0, 1);
      canvas.sprite(card, 180, 90, 0.9 + 0.1 * Math.min(1, progress * 3));
      canvas.sprite(brand.thing, 50, 100, 0.75);
    },
  };
}
