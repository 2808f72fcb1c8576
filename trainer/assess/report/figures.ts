import type { Doubt } from '../label-errors.js';
import type { Thumbnail } from '../thumbnail.js';
import { type Content, type Markup, markup } from './markup.js';

/** A doubt with its picture. */
export interface Pictured {
  readonly doubt: Doubt;
  readonly thumbnail: Thumbnail;
}

/** What is said below a picture. */
type Caption = (probability: number, isAd: boolean) => Content;

export function mistakesSection(pictured: readonly Pictured[]): Markup {
  const none = 'None: every picture of the test split is called rightly.';
  return section('The worst mistakes', none, pictured, (probability, isAd) => {
    const called = probability >= 0.5;
    const sure = percent(called ? probability : 1 - probability);
    return markup`called ${wordOf(called)} with ${sure}, is ${wordOf(isAd)}`;
  });
}

export function labelErrorsSection(pictured: readonly Pictured[]): Markup {
  const none = 'None of validation and test stands out.';
  return section('Likely label errors', none, pictured, (probability, isAd) => {
    const sure = percent(isAd ? 1 - probability : probability);
    return markup`labelled ${wordOf(isAd)}, looks like ${wordOf(!isAd)} (${sure})`;
  });
}

function section(title: string, none: string, pictured: readonly Pictured[], caption: Caption): Markup {
  const figures = pictured.map((one) => markup`<li>${figure(one, caption)}</li>`);
  const body = figures.length === 0 ? markup`<p>${none}</p>` : markup`<ul class="pictures">${figures}</ul>`;
  return markup`<section class="wide"><h2>${title}</h2>${body}</section>`;
}

function figure({ doubt, thumbnail }: Pictured, caption: Caption): Content {
  const { picture, isAd, probability } = doubt.sample;
  const where = picture.at === null ? picture.path : `${picture.path} at ${formatTime(picture.at)}`;
  const more = doubt.pictures === 1 ? '' : ` and ${doubt.pictures - 1} more beside it`;
  return markup`<figure>${imageOf(thumbnail, where)}
<figcaption>${caption(probability, isAd)}<small>${where}${more}</small></figcaption></figure>`;
}

function imageOf(thumbnail: Thumbnail, where: string): Content {
  if ('problem' in thumbnail) return markup`<div class="missing">No picture: ${thumbnail.problem}</div>`;
  const data = Buffer.from(thumbnail.jpeg).toString('base64');
  return markup`<img alt="The picture ${where}" src="data:image/jpeg;base64,${data}">`;
}

function wordOf(isAd: boolean): Markup {
  return isAd ? markup`<span class="ad">AD</span>` : markup`<span class="content">programme</span>`;
}
function percent(share: number): string {
  return `${(100 * share).toFixed(0)} %`;
}
function formatTime(seconds: number): string {
  const part = (value: number) => String(Math.floor(value)).padStart(2, '0');
  const tenths = Math.floor((seconds % 1) * 10);
  return `${part(seconds / 3600)}:${part((seconds / 60) % 60)}:${part(seconds % 60)}.${tenths}`;
}
