import { Markup } from './markup.js';

/**
 * Okabe and Ito's blue for programme and training, vermillion for advertisements and validation. The two
 * differ by 1.34 in contrast, so colour never stands alone: what is vermillion is hatched, dashed or named
 * too. Text uses the darker #a63d00.
 */
const COLOURS = `
:root {
  color-scheme: light;
  --ink: #1b2330; --soft: #4f5a69; --line: #d9dee5;
  --content-text: #005a8c; --ad: #d55e00; --ad-text: #a63d00;
}
.ad { color: var(--ad-text); font-weight: 700 }
.content { color: var(--content-text); font-weight: 700 }
.banner {
  background: repeating-linear-gradient(135deg, #a63d00 0 16px, #963700 16px 32px);
  border-color: #a63d00; color: #fff; font-weight: 600;
}
td.right { background: #cfe3f1 }
td.wrong { background: repeating-linear-gradient(135deg, #f9e2d2 0 8px, #f3d0b8 8px 16px) }
`;

const LAYOUT = `
* { box-sizing: border-box }
body {
  margin: 0; color: var(--ink); background: #f3f5f8;
  font: 16px/1.5 system-ui, "DejaVu Sans", sans-serif;
}
header { background: #16202e; color: #fff; padding: 18px 24px }
h1 { font-size: 22px; margin: 0 }
header p { margin: 2px 0 0; color: #c3ccd8; overflow-wrap: anywhere }
main {
  max-width: 1180px; margin: 0 auto; padding: 16px;
  display: grid; gap: 16px; grid-template-columns: repeat(2, minmax(0, 1fr));
}
section {
  min-width: 0; padding: 16px 18px;
  background: #fff; border: 1px solid var(--line); border-radius: 10px;
}
.wide { grid-column: 1 / -1 }
h2 { font-size: 17px; margin: 0 0 10px }
p { margin: 0 0 10px }
.note { color: var(--soft); font-size: 14px; margin: 10px 0 0; overflow-wrap: anywhere }
.banner p { margin: 0 }
.banner p + p { margin-top: 6px; font-weight: 400 }
details, .pair .table { margin-top: 10px; font-size: 14px }
summary { cursor: pointer; color: var(--content-text) }
:focus-visible { outline: 3px solid #f0a300; outline-offset: 2px }
.pair { display: grid; gap: 0 32px; grid-template-columns: repeat(2, minmax(0, 1fr)); align-items: start }
.pair h2 { grid-column: 1 / -1 }
@media (max-width: 820px) { main, .pair { grid-template-columns: minmax(0, 1fr) } }
@media print { body { background: #fff } section { break-inside: avoid } }
`;

const TABLES = `
.table { overflow-x: auto }
table { width: 100%; border-collapse: collapse; font-size: 14px; font-variant-numeric: tabular-nums }
caption { text-align: left; color: var(--soft); padding-bottom: 6px }
th { text-align: left; font-weight: 600 }
thead th { color: var(--soft); border-bottom: 2px solid var(--line) }
th, td { padding: 5px 8px 5px 0; border-bottom: 1px solid var(--line); vertical-align: top }
td, tbody th { overflow-wrap: anywhere }
td.number, th.number { text-align: right; overflow-wrap: normal }
td.value { text-align: right }
table.confusion { table-layout: fixed }
.confusion td { text-align: center; font-size: 18px; padding: 14px 8px; border: 2px solid #fff }
.confusion th { vertical-align: middle }
.confusion thead th { text-align: center }
.confusion small { display: block; font-size: 13px }
`;

const LISTS = `
ul.findings { list-style: none; margin: 0; padding: 0; display: grid; gap: 8px }
.findings li {
  display: grid; grid-template-columns: 1.6em 1fr; padding: 8px 10px;
  border: 1px solid var(--line); border-radius: 8px;
}
.findings div { min-width: 0; overflow-wrap: anywhere }
.findings li.warning { border-color: var(--ad); background: #fff4ec }
.findings .mark { font-size: 17px; line-height: 1.35; color: var(--content-text) }
.findings .warning .mark { color: var(--ad-text) }
.findings small { display: block; color: var(--soft); font-size: 14px }
dl.tiles { display: grid; gap: 10px; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); margin: 0 }
.tiles div { border: 1px solid var(--line); border-radius: 8px; padding: 8px 12px }
.tiles dt { color: var(--soft); font-size: 14px }
.tiles dd { margin: 0; font-size: 24px; font-weight: 700 }
.tiles dd small { display: block; font-size: 13px; font-weight: 400; color: var(--soft) }
`;

const PICTURES = `
svg { display: block; max-width: 100%; height: auto; font: 12px system-ui, "DejaVu Sans", sans-serif }
svg text { fill: var(--ink) }
svg text.soft { fill: var(--soft) }
ul.pictures {
  display: grid; gap: 12px; grid-template-columns: repeat(auto-fill, minmax(200px, 1fr));
  margin: 0; padding: 0; list-style: none;
}
figure { margin: 0; border: 1px solid var(--line); border-radius: 8px; overflow: hidden }
figure img { width: 100%; aspect-ratio: 16 / 9; object-fit: contain; background: #10151d; display: block }
figure .missing {
  aspect-ratio: 16 / 9; display: grid; place-items: center; padding: 10px; background: #eef1f5;
  color: var(--soft); font-size: 13px; text-align: center; overflow-wrap: anywhere;
}
figcaption { padding: 8px 10px; font-size: 14px }
figcaption small { display: block; color: var(--soft); font-size: 12px; overflow-wrap: anywhere }
`;

export const STYLE = new Markup(COLOURS + LAYOUT + TABLES + LISTS + PICTURES);
