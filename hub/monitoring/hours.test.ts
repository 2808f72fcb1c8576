import assert from 'node:assert/strict';
import { test } from 'node:test';
import { calibrate } from '@adbreak/shared/evidence/world.js';
import { type ArmLabels, noLabels } from '../rollouts/evidence.js';
import { after, report } from '../rollouts/fixtures.js';
import { causeOfLoss } from '../rollouts/report/cause.js';
import { absorbHours, type ModelHours, referenceWeeks } from './hours.js';

const DIGEST = 'a'.repeat(64);
/** Reports that come when they are made, of known versions. */
function absorb(
  hours: Record<string, ModelHours>,
  one: ReturnType<typeof report>,
  now = Date.parse(one.start),
): void {
  absorbHours(hours, 'pi-1', one, {
    now,
    digests: new Set(['a', 'b', 'c'].map((letter) => letter.repeat(64))),
  });
}

test('reference weeks are whole weeks before the rollout, by hour of the week; gaps make a week none', () => {
  const hours: Record<string, ModelHours> = {};
  for (let hour = 0; hour < 3 * 168; hour++)
    absorb(hours, report(hour + 1, hour, { agreed: 30 + (hour % 168) }));
  const weeks = referenceWeeks(hours[DIGEST], after(3 * 168).getTime());
  assert.equal(weeks?.length, 3);
  const [first, second] = weeks ?? [];
  assert.deepEqual(first, second, 'the same hour of each week');
  assert.ok(calibrate(weeks ?? []) !== null);
  assert.equal(
    referenceWeeks(hours[DIGEST], after(3 * 168 + 100).getTime())?.length,
    2,
    'the last hundred hours were not watched',
  );
  assert.equal(referenceWeeks(undefined, 0), null);
  assert.ok(hours['b'.repeat(64)] !== undefined, 'a candidate gathers its own from the shadow');
});

test('each channel weighs what one of its devices saw, however many watch it; what comes too late is no part of it', () => {
  const hours: Record<string, ModelHours> = {};
  const watch = (now: number) => ({ now: after(now).getTime(), digests: new Set([DIGEST]) });
  const slice = (channel: string) => ({ slice: { channel, site: 'home', hardware: 'pi5' } });
  for (let i = 0; i < 9; i++)
    absorbHours(hours, `pi-${i}`, report(1, 0, { agreed: 10 }, slice('one')), watch(0.9));
  absorbHours(hours, 'pi-9', report(1, 0, { agreed: 30 }, slice('two')), watch(0.9));
  absorbHours(hours, 'pi-9', report(2, 4, { agreed: 30 }, slice('two')), watch(4.5));
  const closed = Object.values(hours[DIGEST]?.hours ?? {})[0] ?? [];
  assert.equal(
    closed.reduce((sum, n) => sum + n, 0),
    40,
    'ten of the first channel, thirty of the second',
  );
  absorbHours(hours, 'pi-8', report(9, 0, { agreed: 1000 }, slice('one')), watch(4.6));
  assert.deepEqual(Object.values(hours[DIGEST]?.hours ?? {})[0], closed);
});

test('old hours are forgotten', () => {
  const hours: Record<string, ModelHours> = {};
  for (let hour = 0; hour < 8 * 168; hour++) absorb(hours, report(hour + 1, hour, { agreed: 3 }));
  assert.equal(Object.keys({ ...hours[DIGEST]?.hours, ...hours[DIGEST]?.open }).length, 7 * 168);
  for (let hour = 20 * 168; hour < 20 * 168 + 26; hour++)
    absorb(hours, report(hour, hour, { agreed: 3 }, { production: 'c'.repeat(64) }));
  assert.deepEqual(
    Object.keys(hours).toSorted(),
    ['b'.repeat(64), 'c'.repeat(64)],
    'and versions that nobody has run since',
  );
});

test('a clock that jumps a year ahead and back takes no hours with it', () => {
  const hours: Record<string, ModelHours> = {};
  for (let hour = 0; hour < 168; hour++) absorb(hours, report(hour + 1, hour, { agreed: 30 }));
  for (let hour = 52 * 168; hour < 52 * 168 + 20; hour++) absorb(hours, report(hour, hour, { agreed: 30 }));
  absorb(hours, report(169, 168, { agreed: 30 }));
  assert.equal(referenceWeeks(hours[DIGEST], after(168).getTime())?.length, 1);
});

test('hours of unknown models, or older than those that are kept, are not taken in; a full sum stays full and the others go on', () => {
  const hours: Record<string, ModelHours> = {};
  absorb(hours, report(1, 0, { agreed: 3 }, { production: 'd'.repeat(64) }));
  assert.deepEqual(Object.keys(hours), ['b'.repeat(64)], 'the candidate alone is known');
  absorb(hours, report(2, 1, { agreed: 3 }), after(7 * 168 + 2).getTime());
  assert.equal(Object.hasOwn(hours, DIGEST), false, 'seven weeks old');
  absorb(hours, report(3, 2, { agreed: 3 }));
  const known = hours[DIGEST];
  assert.ok(known !== undefined);
  known.labels.histogram[6] = Number.MAX_SAFE_INTEGER;
  absorb(hours, report(4, 3, { agreed: 3 }));
  const now = hours[DIGEST];
  assert.deepEqual(
    [Object.keys({ ...now?.hours, ...now?.open }).length, now?.labels.histogram[6]],
    [2, Number.MAX_SAFE_INTEGER],
  );
});

test('what kind of change it was: of what is shown, of what it means, or of how often', () => {
  const labels = (
    confusion: ArmLabels['confusion'],
    low: number,
    middle: number,
    high: number,
  ): ArmLabels => {
    const histogram = Array<number>(64).fill(0);
    histogram[3] = low;
    histogram[32] = middle;
    histogram[60] = high;
    return { ...noLabels(), confusion, histogram };
  };
  const before = labels(
    [
      [760, 40],
      [20, 180],
    ],
    780,
    0,
    220,
  );
  assert.equal(causeOfLoss(before, before)?.kind, 'none');
  assert.equal(
    causeOfLoss(
      before,
      labels(
        [
          [640, 160],
          [50, 150],
        ],
        500,
        400,
        100,
      ),
    )?.kind,
    'covariate drift',
  );
  assert.equal(
    causeOfLoss(
      before,
      labels(
        [
          [640, 160],
          [60, 140],
        ],
        780,
        0,
        220,
      ),
    )?.kind,
    'concept drift',
  );
  const shift = causeOfLoss(
    before,
    labels(
      [
        [475, 25],
        [50, 450],
      ],
      525,
      0,
      475,
    ),
  );
  assert.equal(shift?.kind, 'label shift');
  assert.match(shift?.reason ?? '', /ads are 5\d\.\d % of what is on, 20\.0 % before/);
  assert.equal(causeOfLoss(before, noLabels()), null, 'too few labels to say');
});
