import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { configPath } from './fixtures.js';
import { type FleetRates, forecast, forecastText } from './forecast.js';
import { readPlan } from './plan.js';

const plan = await readPlan(configPath('standard'));
/** As many devices as channels where nothing is said. */
const members = (devices: number, channels = devices) =>
  Array.from({ length: devices }, (_, i) => ({
    id: `pi-${i}`,
    slice: { channel: `c${i % channels}`, site: 'home', hardware: 'pi5' },
    tags: {},
  }));
const rates: FleetRates = {
  episodesPerDay: 200,
  disagreement: 0.1,
  answered: 1,
  correlation: 0.02,
  sources: ['for a test'],
};

describe('a forecast', () => {
  const large = forecast(plan, members(40), rates);
  test('names who moves when, one stage after the other', () => {
    assert.deepEqual(
      large.stages.map(({ acting }) => acting.length),
      [0, 4, 20, 40],
    );
    for (const [i, stage] of large.stages.entries()) {
      const before = large.stages[i - 1];
      if (before === undefined) continue;
      assert.equal(stage.fromDay, before.untilDay);
      assert.ok(
        before.acting.every((id) => stage.acting.includes(id)),
        stage.name,
      );
    }
    assert.ok((large.stages.at(-1)?.untilDay ?? 0) >= 5, 'the last stage needs five days');
  });
  test('says how good and how bad candidates fare, with episodes, days and answers', () => {
    assert.ok(large.promotion.share > 0.7, JSON.stringify(large.promotion));
    assert.ok(
      (large.promotion.answers ?? 0) > 20 && (large.promotion.episodes ?? 0) > 1000,
      JSON.stringify(large.promotion),
    );
    for (const { difference, share } of large.harm)
      if (difference <= -0.05) assert.ok(share > 0.9, `${difference}: ${share}`);
    const text = forecastText(plan, large);
    for (const words of [
      /40 devices that watch 40 channels/,
      /one disagreement in 8: 20 answers a device and week/,
      /canary 10 %.*4: pi-/,
      /as good as production leave the shadow: about \d+[05] %.*answers/,
      /as good as production can be completed: about \d/,
      /5\.0 points worse are shown to be: about \d/,
    ])
      assert.match(text, words);
    assert.deepEqual(large.warnings, []);
  });
  test('devices on one channel count once: it says so, and which margin the fleet could decide', () => {
    const alone = forecast(plan, members(40, 1), rates);
    assert.equal(alone.channels, 1);
    assert.ok(alone.promotion.share < large.promotion.share);
    assert.match(
      alone.warnings.join('\n'),
      /the fleet watches 1 channel: what it finds holds for that channel/,
    );
    if (alone.promotion.share < 0.5) assert.match(alone.warnings.join('\n'), /with a margin of 2\.0 points/);
  });
  test('few devices, and people who do not answer, are named before anything moves', () => {
    const small = forecast(plan, members(3), { ...rates, answered: 0.6 });
    assert.match(small.warnings.join('\n'), /asks for evidence from 5 devices, the fleet has 3/);
    assert.match(small.warnings.join('\n'), /60\.0 % of what is drawn gets an answer/);
    const nobody = forecast(plan, members(40), { ...rates, answered: 0 });
    assert.equal(nobody.promotion.share, 0);
    assert.equal(nobody.decidable, null);
    assert.match(nobody.warnings.join('\n'), /no margin up to 8\.0 points would do/);
  });
  test('answers are those of the whole fleet, however many devices were simulated', () => {
    const [few, many] = [forecast(plan, members(240, 40), rates), forecast(plan, members(2400, 40), rates)];
    const [a, b] = [few.promotion.answers ?? 0, many.promotion.answers ?? 0];
    assert.ok(a > 0 && Math.abs(b / a - 10) < 0.1, `${a}, ${b}`);
  });
  test('what completes has left the shadow, in numbers too; where most do not leave it, the table says who decides', () => {
    for (const channels of [6, 8, 12]) {
      const made = forecast(plan, members(20, channels), {
        ...rates,
        episodesPerDay: 300,
        disagreement: 0.05,
        correlation: 0.1,
      });
      assert.ok(
        made.completion.share <= made.promotion.share,
        `${channels}: ${made.promotion.share}, then ${made.completion.share}`,
      );
    }
    const nobody = forecastText(plan, forecast(plan, members(40), { ...rates, answered: 0 }));
    assert.match(nobody, /\nshadow 0 % +not decided: a person {3}none/);
    assert.match(nobody, /\nall 100 % +– /);
  });
  test('is a function of its fleet', () => {
    assert.deepEqual(forecast(plan, members(6), rates), forecast(plan, members(6), rates));
  });
});
