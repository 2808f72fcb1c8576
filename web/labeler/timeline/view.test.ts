import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { arcsOf } from './arcs.js';
import {
  filmTimes,
  fitted,
  following,
  moved,
  peaksOf,
  showing,
  ticksOf,
  timeAt,
  type View,
  xOf,
  zoomed,
} from './view.js';

const HOURS: View = { from: 0, to: 10_800, width: 1200, duration: 10_800 };

describe('the part of a recording that is in view', () => {
  test('what is under the pointer stays there when one looks closer', () => {
    const closer = zoomed(HOURS, 0.1, 5400);
    assert.ok(Math.abs(xOf(closer, 5400) - xOf(HOURS, 5400)) < 1e-9);
    assert.ok(Math.abs(timeAt(closer, xOf(closer, 5000)) - 5000) < 1e-9);
  });

  test('never leaves the recording, nor comes nearer than two seconds', () => {
    const closest = zoomed(HOURS, 1e-9, 10_800);
    assert.deepEqual([closest.to - closest.from, closest.to], [2, 10_800]);
    assert.deepEqual(fitted(zoomed(closest, 1e9, 0)), HOURS);
    assert.equal(moved(closest, -50).from, 0);
    const tiny: View = { from: 0, to: 1, width: 100, duration: 1 };
    assert.deepEqual(zoomed(tiny, 0.5, 0.5), tiny, 'a second is all there is');
  });

  test('follows the playhead by pages, and stays where it is in view', () => {
    const view = moved({ ...HOURS, to: 100 }, 1000);
    assert.equal(following(view, 1050), view);
    assert.equal(following(view, 1099).from, 1079);
    assert.equal(following(view, 30).from, 10);
  });

  test('shows a stretch with room around it', () => {
    const view = showing(HOURS, 5000, 5020);
    assert.deepEqual([view.from, view.to], [4980, 5040]);
    assert.equal(showing(view, 5000, 5020), view);
  });

  test('the ruler has round times with room for words', () => {
    assert.deepEqual(ticksOf(HOURS).times.slice(0, 3), [0, 900, 1800]);
    const second = ticksOf({ ...HOURS, from: 10, to: 12 });
    assert.equal(second.step, 0.2);
    assert.equal(second.times.length, 11);
  });

  test('a wave of hours keeps its loudest moment under every pixel', () => {
    const wave = Array.from({ length: 108_000 }, (_, i) => (i === 54_321 ? 1 : 0.1));
    const peaks = peaksOf(HOURS, wave, 0.1);
    assert.equal(peaks.filter((peak) => peak === 1).length, 1);
    assert.equal(peaks.indexOf(1), Math.floor(5432.1 / 9));
  });

  test('pictures stand on a grid, so that the next view asks for the same', () => {
    const here = filmTimes({ ...HOURS, from: 100, to: 200 }, 80);
    const there = filmTimes({ ...HOURS, from: 110, to: 210 }, 80);
    assert.equal(here.step, there.step);
    assert.ok(there.times.filter((time) => here.times.includes(time)).length > here.times.length / 2);
    assert.ok(here.times.every((time) => time < 10_800));
  });
});

describe('arcs', () => {
  const airing = (id: string, start: number) => ({ spot: { id }, start, end: start + 30 });

  test('go from one airing to the next of the same spot', () => {
    const arcs = arcsOf(
      HOURS,
      [airing('S1', 0), airing('S2', 30), airing('S1', 900), airing('S1', 1800)],
      null,
      30,
    );
    assert.deepEqual(
      arcs.map(({ spot, from, to }) => [spot, Math.round(from), Math.round(to)]),
      [
        ['S1', 2, 102],
        ['S1', 102, 202],
      ],
    );
    assert.ok(arcs.every(({ height }) => height <= 30));
  });

  test('of thousands only those of the chosen spot are drawn', () => {
    const many = Array.from({ length: 3000 }, (_, i) => airing(`S${i % 50}`, i * 3));
    assert.equal(arcsOf(HOURS, many, null, 30).length, 0);
    assert.equal(arcsOf(HOURS, many, 'S7', 30).length, 59);
  });
});
