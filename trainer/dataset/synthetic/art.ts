import type { Random } from '@adbreak/shared/random.js';
import sharp from 'sharp';
import type { Picture } from './canvas.js';

/** Draws SVG with sharp (librsvg). */
export async function draw(width: number, height: number, body: string): Promise<Picture> {
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="DejaVu Sans, sans-serif">${body}</svg>`;
  const { data, info } = await sharp(Buffer.from(svg))
    .ensureAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  return {
    width: info.width,
    height: info.height,
    rgba: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
  };
}

export const hsl = (h: number, s: number, l: number) =>
  `hsl(${Math.round(((h % 360) + 360) % 360)},${Math.round(s)}%,${Math.round(l)}%)`;

/** A backdrop is drawn larger than the frame, so that a camera can pan over it. */
export const BACKDROP = { width: 480, height: 270 } as const;
const { width: W, height: H } = BACKDROP;

const SKIN = ['#f2cdb0', '#e0ac84', '#c68a5e', '#96603c', '#6a412a'] as const;

/** A talking person, head and shoulders. */
export function person(random: Random, height: number): Promise<Picture> {
  const skin = random.pick(SKIN);
  const hair = hsl(random.between(10, 50), random.between(5, 60), random.between(8, 55));
  const coat = hsl(random.between(0, 360), random.between(10, 70), random.between(15, 65));
  const long = random.uniform() < 0.5;
  return draw(
    height * 0.8,
    height,
    `<g transform="scale(${height / 100})">
    ${long ? `<path d="M22 62 Q16 10 40 8 Q64 10 58 62Z" fill="${hair}"/>` : ''}
    <path d="M4 100 Q6 66 30 62 L50 62 Q74 66 76 100Z" fill="${coat}"/><path d="M33 62 L40 80 L47 62Z" fill="#eee"/>
    <rect x="33" y="48" width="14" height="18" fill="${skin}"/><ellipse cx="40" cy="34" rx="16" ry="21" fill="${skin}"/>
    <path d="M23 32 Q22 10 40 10 Q58 10 57 32 Q52 20 40 20 Q28 20 23 32Z" fill="${hair}"/>
    <circle cx="34" cy="33" r="2" fill="#222"/><circle cx="46" cy="33" r="2" fill="#222"/>
    <path d="M34 44 Q40 ${random.between(44, 49)} 46 44" stroke="#7a2d2d" stroke-width="2" fill="none"/></g>`,
  );
}

/** Hills under a sky, a street, or a room: scenes that programmes and commercials share. */
export function scenery(random: Random): Promise<Picture> {
  return random.pick([landscape, street, room])(random);
}

function landscape(random: Random): Promise<Picture> {
  const hue = random.pick([25, 200, 210, 260, 340]);
  const ridge = (base: number, wild: number, fill: string) => {
    const points = Array.from(
      { length: 13 },
      (_, i) => `${(i * W) / 12},${base + random.between(-wild, wild)}`,
    );
    return `<polygon points="0,${H} ${points.join(' ')} ${W},${H}" fill="${fill}"/>`;
  };
  return draw(
    W,
    H,
    `<defs><linearGradient id="s" x2="0" y2="1"><stop offset="0" stop-color="${hsl(hue, 60, random.between(25, 65))}"/><stop offset="1" stop-color="${hsl(hue + 30, 55, 80)}"/></linearGradient>
    <filter id="n"><feTurbulence type="fractalNoise" baseFrequency=".03 .09" numOctaves="3" seed="${random.integer(999)}"/><feColorMatrix values="0 0 0 0 1 0 0 0 0 1 0 0 0 0 1 .9 0 0 0 -.35"/></filter></defs>
    <rect width="${W}" height="${H}" fill="url(#s)"/><rect width="${W}" height="150" filter="url(#n)" opacity=".7"/>
    ${ridge(140, 35, hsl(hue + 160, 20, 45))}${ridge(180, 25, hsl(random.between(80, 140), 30, 35))}${ridge(225, 15, hsl(random.between(60, 130), 40, 24))}`,
  );
}

function street(random: Random): Promise<Picture> {
  const houses = Array.from({ length: 9 }, (_, i) => {
    const height = random.between(90, 200);
    const x = i * 55 - 10;
    const windows = Array.from(
      { length: 8 },
      (_, w) =>
        `<rect x="${x + 8 + (w % 2) * 22}" y="${H - 50 - height + 14 + Math.floor(w / 2) * 30}" width="12" height="16" fill="${hsl(random.between(35, 55), 70, random.between(20, 80))}"/>`,
    );
    return `<rect x="${x}" y="${H - 50 - height}" width="52" height="${height}" fill="${hsl(random.between(0, 60), random.between(5, 40), random.between(25, 70))}"/>${windows.join('')}`;
  });
  return draw(
    W,
    H,
    `<rect width="${W}" height="${H}" fill="${hsl(random.pick([205, 220, 30]), 40, random.between(15, 80))}"/>${houses.join('')}<rect y="${H - 50}" width="${W}" height="50" fill="#4a4a4e"/><path d="M0 ${H - 24}H${W}" stroke="#ddd" stroke-width="3" stroke-dasharray="26 18"/>`,
  );
}

function room(random: Random): Promise<Picture> {
  const wall = random.between(0, 360);
  return draw(
    W,
    H,
    `<rect width="${W}" height="${H}" fill="${hsl(wall, random.between(10, 45), random.between(30, 80))}"/><rect y="190" width="${W}" height="80" fill="${hsl(30, 35, random.between(20, 50))}"/>
    <rect x="${random.between(20, 120)}" y="40" width="90" height="70" fill="#bcd7e8" stroke="#fff" stroke-width="6"/>
    <rect x="${random.between(200, 300)}" y="140" width="150" height="70" rx="14" fill="${hsl(wall + random.between(60, 200), 45, 40)}"/>
    <circle cx="${random.between(380, 440)}" cy="80" r="20" fill="#ffe9a8"/><rect x="${random.between(150, 190)}" y="150" width="10" height="60" fill="#543"/>`,
  );
}

export function studio(random: Random, hue: number): Promise<Picture> {
  const bars = Array.from(
    { length: 9 },
    (_, i) =>
      `<rect x="${i * 56 + random.between(-6, 6)}" y="0" width="${random.between(8, 34)}" height="190" fill="${hsl(hue + random.between(-15, 15), 50, random.between(20, 60))}" opacity=".6"/>`,
  );
  return draw(
    W,
    H,
    `<rect width="${W}" height="${H}" fill="${hsl(hue, 55, 22)}"/>${bars.join('')}<ellipse cx="${W / 2}" cy="260" rx="250" ry="70" fill="${hsl(hue, 20, 70)}"/>`,
  );
}

export function pitch(random: Random): Promise<Picture> {
  const [field, line] = random.pick([
    ['#2f7d3a', '#e8f5e8'],
    ['#356fa8', '#fff'],
    ['#dfe9f2', '#c33'],
    ['#b5672f', '#fff'],
  ] as const);
  const stripes = Array.from(
    { length: 6 },
    (_, i) => `<rect x="${i * 80}" y="60" width="40" height="210" fill="#000" opacity=".07"/>`,
  );
  return draw(
    W,
    H,
    `<defs><filter id="c"><feTurbulence type="turbulence" baseFrequency=".35" seed="${random.integer(999)}"/></filter></defs><rect width="${W}" height="${H}" fill="${field}"/><rect width="${W}" height="60" fill="#333"/><rect width="${W}" height="56" filter="url(#c)" opacity=".8"/>${stripes.join('')}
    <g fill="none" stroke="${line}" stroke-width="3"><rect x="15" y="72" width="450" height="185"/><path d="M240 72V257"/><circle cx="240" cy="165" r="38"/><rect x="15" y="120" width="60" height="90"/><rect x="405" y="120" width="60" height="90"/></g>`,
  );
}

export function player(random: Random, shirt: string): Promise<Picture> {
  return draw(
    14,
    26,
    `<circle cx="7" cy="4" r="3.5" fill="${random.pick(SKIN)}"/><rect x="2" y="7" width="10" height="9" rx="2" fill="${shirt}"/><path d="M4 16V25M10 16V25" stroke="#222" stroke-width="3"/>`,
  );
}

/** The thing on sale: a bottle, a car, a telephone, a box or a burger. */
export function product(random: Random): Promise<Picture> {
  const hue = random.between(0, 360);
  const body = hsl(hue, 75, random.between(35, 60));
  const dark = hsl(hue, 70, 22);
  const shape = random.pick([
    `<path d="M42 5h16v22q16 8 16 26v60q0 7-7 7H33q-7 0-7-7V53q0-18 16-26Z" fill="${body}"/><rect x="26" y="62" width="48" height="34" fill="#fff" opacity=".9"/><circle cx="50" cy="79" r="11" fill="${dark}"/>`,
    `<path d="M2 84q4-20 22-22l16-22h34l16 24q10 2 10 20v8H2Z" fill="${body}"/><path d="M44 45h12v16H33ZM60 45h12l10 16H60Z" fill="#bfe3f5"/><circle cx="24" cy="92" r="11" fill="#222"/><circle cx="80" cy="92" r="11" fill="#222"/>`,
    `<rect x="28" y="8" width="46" height="104" rx="8" fill="#181818"/><rect x="32" y="16" width="38" height="84" fill="${body}"/><circle cx="51" cy="106" r="3" fill="#999"/><path d="M36 40h30M36 52h22M36 64h26" stroke="#fff" stroke-width="4"/>`,
    `<path d="M10 36 50 18l40 18v58L50 114 10 94Z" fill="${body}"/><path d="M10 36l40 20 40-20M50 56v58" stroke="${dark}" stroke-width="3" fill="none"/><rect x="18" y="56" width="24" height="24" fill="#fff" transform="skewY(26) translate(0,-14)"/>`,
    `<path d="M10 56q0-38 40-38t40 38Z" fill="#d9953d"/><rect x="6" y="58" width="88" height="12" rx="5" fill="#4f9e3c"/><rect x="8" y="70" width="84" height="14" rx="6" fill="#6b3a1e"/><path d="M10 86h80q0 20-16 20H26q-16 0-16-20Z" fill="#d9953d"/>`,
  ]);
  return draw(100, 120, shape);
}

const SYLLABLES = [
  'va',
  'lo',
  'mi',
  'ra',
  'zen',
  'ko',
  'tu',
  'pel',
  'nor',
  'di',
  'sa',
  'qui',
  'bel',
  'fy',
  'gro',
] as const;
export function brandName(random: Random): string {
  const name = Array.from({ length: 2 + random.integer(2) }, () => random.pick(SYLLABLES)).join('');
  return name.charAt(0).toUpperCase() + name.slice(1);
}

/** A text on a coloured plate: price cards, end cards, lower thirds, score bugs. */
export function plate(
  width: number,
  height: number,
  fill: string,
  lines: readonly { readonly text: string; readonly size: number; readonly fill: string }[],
  round = 4,
): Promise<Picture> {
  const total = lines.reduce((sum, { size }) => sum + size * 1.25, 0);
  let y = (height - total) / 2;
  const text = lines.map((line) => {
    y += line.size * 1.25;
    return `<text x="${width / 2}" y="${y - line.size * 0.3}" font-size="${line.size}" font-weight="bold" text-anchor="middle" fill="${line.fill}">${line.text}</text>`;
  });
  return draw(
    width,
    height,
    `<rect width="${width}" height="${height}" rx="${round}" fill="${fill}"/>${text.join('')}`,
  );
}
