import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, test } from 'node:test';
import type { LabelAction } from '@adbreak/shared/contract/labelling.js';
import { type Random, seeded } from '@adbreak/shared/random.js';
import { admit } from './admit.js';
import { Labels } from './fold.js';
import type { StandingSpan } from './layers.js';
import { FIRST, paint, SECOND } from './testing.js';

function fold(...actions: LabelAction[]): Labels {
  const labels = new Labels();
  for (const action of actions) apply(labels, action);
  return labels;
}

function apply(labels: Labels, action: LabelAction, labeller = 'ann'): readonly string[] {
  return labels.apply({ sequence: labels.sequence + 1, at: '2026-01-01T00:00:00.000Z', labeller, action });
}

function shown(spans: readonly StandingSpan[]): string {
  return spans.map(({ start, end, label }) => `${start}-${end} ${label}`).join(', ');
}
const undo = (of?: string): LabelAction => ({ kind: 'undo', id: randomUUID(), ...(of && { of }) });
const redo = (): LabelAction => ({ kind: 'redo', id: randomUUID() });
const extend = (of: string, end: number): LabelAction => ({ kind: 'extend', id: randomUUID(), of, end });

describe('the labels that stand', () => {
  test('the later paint is seen; null takes a label away', () => {
    const labels = fold(paint(0, 10), paint(4, 6, 'content'), paint(8, 12, null));
    assert.equal(shown(labels.spans('ann', FIRST)), '0-4 ad, 4-6 content, 6-8 ad');
  });

  test('a stretch that grows while it plays is one step, and may shrink again', () => {
    const played = paint(2, 2.5);
    const below = paint(3, 9, 'content');
    const labels = fold(below, played, extend(played.id, 5), extend(played.id, 4));
    assert.equal(shown(labels.spans('ann', FIRST)), '2-4 ad, 4-9 content');
    apply(labels, undo());
    assert.equal(shown(labels.spans('ann', FIRST)), '3-9 content');
    apply(labels, redo());
    assert.equal(shown(labels.spans('ann', FIRST)), '2-4 ad, 4-9 content');
  });

  test('undo and redo go to any depth; a new step ends what could be put back', () => {
    const labels = fold(paint(0, 1), paint(1, 2, 'content'), paint(2, 3), undo(), undo());
    assert.equal(shown(labels.spans('ann', FIRST)), '0-1 ad');
    apply(labels, redo());
    assert.equal(shown(labels.spans('ann', FIRST)), '0-1 ad, 1-2 content');
    apply(labels, paint(5, 6));
    assert.equal(labels.next('ann').redo, null);
    assert.deepEqual(apply(labels, redo()), [], 'an event that means nothing changes nothing');
    assert.equal(shown(labels.spans('ann', FIRST)), '0-1 ad, 1-2 content, 5-6 ad');
  });

  test('a step in the middle may be taken back by its name: what lay below is seen again', () => {
    const middle = paint(2, 8, 'content');
    const labels = fold(paint(0, 10), middle, paint(4, 5, 'ad'));
    apply(labels, undo(middle.id));
    assert.equal(shown(labels.spans('ann', FIRST)), '0-4 ad, 4-5 ad, 5-10 ad');
  });

  test('a spot labels all its airings at once, and is taken back at once', () => {
    const airings = [
      { recording: FIRST, start: 1, end: 2 },
      { recording: FIRST, start: 7, end: 8 },
      { recording: SECOND, start: 3, end: 4 },
    ];
    const labels = fold({ kind: 'spot', id: randomUUID(), spot: 's1', label: 'ad', airings });
    assert.equal(shown(labels.spans('ann', FIRST)), '1-2 ad, 7-8 ad');
    assert.equal(labels.spans('ann', SECOND)[0]?.spot, 's1');
    assert.deepEqual(apply(labels, undo()), [FIRST, SECOND]);
    assert.equal(labels.spans('ann', SECOND).length, 0);
  });

  test('each labeller has a pass of their own', () => {
    const labels = fold(paint(0, 4));
    apply(labels, paint(0, 4, 'content'), 'bob');
    apply(labels, undo(), 'bob');
    assert.equal(shown(labels.spans('ann', FIRST)), '0-4 ad');
    assert.deepEqual([...labels.passesOver(FIRST).keys()], ['ann']);
  });

  test('an id that comes twice is taken once', () => {
    const once = paint(0, 4);
    const labels = fold(once, paint(2, 3, 'content'));
    assert.deepEqual(apply(labels, once), []);
    assert.equal(shown(labels.spans('ann', FIRST)), '0-2 ad, 2-3 content, 3-4 ad');
  });

  test('who was away hears what changed since, by labeller', () => {
    const labels = fold(paint(0, 1));
    apply(labels, paint(0, 1, 'ad', { recording: SECOND }), 'bob');
    assert.deepEqual([...labels.changedSince(1)], [['bob', new Set([SECOND])]]);
    assert.equal(labels.changedSince(0).size, 2);
    assert.equal(labels.changedSince(2).size, 0);
  });
});

interface Reference {
  readonly id: string;
  readonly label: string | null;
  readonly stretches: { readonly start: number; end: number }[];
  stands: boolean;
}

/** The same by brute force: every second of a recording painted anew for each event. */
function reference(actions: readonly LabelAction[], seconds: number): (string | null)[] {
  const steps = new Map<string, Reference>();
  let [done, undone]: [Reference[], Reference[]] = [[], []];
  for (const action of actions) {
    if (action.kind === 'paint' || action.kind === 'spot') {
      const { start, end } = action.kind === 'paint' ? action : { start: 0, end: 0 };
      const stretches = action.kind === 'spot' ? action.airings : [{ start, end }];
      const step = {
        id: action.id,
        label: action.label,
        stretches: structuredClone(stretches),
        stands: true,
      };
      steps.set(action.id, step);
      done.push(step);
      undone = [];
    } else if (action.kind === 'extend') {
      const [stretch] = steps.get(action.of)?.stretches ?? [];
      if (stretch !== undefined) stretch.end = Math.max(stretch.start, action.end);
    } else {
      const step = action.kind === 'redo' ? undone.pop() : named(action.of, steps, done);
      if (step === undefined || step.stands === (action.kind === 'redo')) continue;
      step.stands = action.kind === 'redo';
      if (step.stands) done.push(step);
      else {
        done = done.filter((one) => one !== step);
        undone.push(step);
      }
    }
  }
  const painted: (string | null)[] = Array.from({ length: seconds }, () => null);
  for (const { label, stretches, stands } of steps.values())
    if (stands) for (const { start, end } of stretches) painted.fill(label, start, Math.max(start, end));
  return painted;
}

function named(
  id: string | undefined,
  steps: ReadonlyMap<string, Reference>,
  done: readonly Reference[],
): Reference | undefined {
  return id === undefined ? done.at(-1) : steps.get(id);
}

function spotAt(
  label: 'ad' | 'content' | null,
  ...starts: readonly (readonly [number, number])[]
): LabelAction {
  const airings = starts.map(([start, end]) => ({ recording: FIRST, start, end }));
  return { kind: 'spot', id: randomUUID(), spot: 's', label, airings };
}

function randomAction(random: Random, before: readonly LabelAction[]): LabelAction {
  const kind = random.uniform();
  const paints = before.flatMap((action) => (action.kind === 'paint' ? [action.id] : []));
  const stretch = (): [number, number] => {
    const start = random.integer(90);
    return [start, start + 1 + random.integer(10)];
  };
  const label = random.pick(['ad', 'content', null] as const);
  if (kind < 0.3 || paints.length === 0) return paint(...stretch(), label);
  // Airings of one spot may come in any order, and lie over each other.
  if (kind < 0.5) return spotAt(label, ...Array.from({ length: 1 + random.integer(6) }, stretch));
  if (kind < 0.65) return extend(random.pick(paints), random.integer(100));
  if (kind < 0.7) return undo(random.pick(before).id);
  return kind < 0.87 ? undo() : redo();
}

test('whatever comes in whichever order: the same as painting each second anew', () => {
  for (let seed = 1; seed <= 60; seed++) {
    const random = seeded(`fold ${seed}`);
    const actions: LabelAction[] = [];
    for (let i = 0; i < 60; i++) actions.push(randomAction(random, actions));
    const spans = fold(...actions).spans('ann', FIRST);
    const seen = Array.from(
      { length: 110 },
      (_, second) => spans.find(({ start, end }) => second >= start && second < end)?.label ?? null,
    );
    assert.deepEqual(seen, reference(actions, 110), `seed ${seed}`);
    for (const [i, { start, end }] of spans.entries())
      assert.ok(end > start && start >= (spans[i - 1]?.end ?? 0), `in order and apart, seed ${seed}`);
  }
});

test('three hours with ten thousand stretches: a key costs by what is there, not by its history', () => {
  const labels = new Labels();
  for (let i = 0; i < 10_000; i++) apply(labels, paint(i, i + 0.9, i % 2 ? 'ad' : 'content'));
  const before = process.cpuUsage();
  for (let i = 0; i < 100; i++) {
    const step = paint(i * 30, i * 30 + 1.5);
    apply(labels, step);
    apply(labels, extend(step.id, i * 30 + 2));
    apply(labels, undo());
  }
  const { user, system } = process.cpuUsage(before);
  const each = (user + system) / 1000 / 300;
  assert.ok(each < 5, `${each.toFixed(2)} ms of the processor for a key`);
});

function milliseconds(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

describe('thirty spots of a thousand airings each', () => {
  const spot = (n: number, shift: number) =>
    spotAt(
      n % 2 ? 'ad' : 'content',
      ...Array.from({ length: 1000 }, (_, i) => [i * 400 + shift, i * 400 + shift + 8] as const),
    );
  const cases = {
    'side by side': (n: number) => n * 10,
    'each over a part of the one before': (n: number) => n * 3,
  };
  for (const [name, shift] of Object.entries(cases))
    test(`${name}: an undo takes a moment`, () => {
      const labels = new Labels();
      for (let n = 0; n < 30; n++) apply(labels, spot(n, shift(n)));
      const before = shown(labels.spans('ann', FIRST));
      const undone = milliseconds(() => apply(labels, undo()));
      assert.notEqual(shown(labels.spans('ann', FIRST)), before);
      const redone = milliseconds(() => apply(labels, redo()));
      assert.equal(shown(labels.spans('ann', FIRST)), before);
      // The whole recording over all of them, and away again.
      apply(labels, paint(0, 400_000, null));
      const whole = milliseconds(() => apply(labels, undo()));
      assert.equal(shown(labels.spans('ann', FIRST)), before);
      assert.ok(undone < 100 && redone < 100, `${undone} ms and ${redone} ms`);
      assert.ok(whole < 1000, `${whole} ms for the whole`);
    });
});

describe('what means nothing is refused before it is written', () => {
  const durations = new Map([[FIRST, 60]]);
  const refused = (action: LabelAction, code: string, labels = new Labels()) =>
    assert.throws(() => admit(labels, durations, { labeller: 'ann', action }), { code });

  test('stretches of nowhere, behind the end, or without length', () => {
    refused(paint(0, 1, 'ad', { recording: SECOND }), 'not_found');
    refused(paint(0, 62), 'input_invalid');
    refused(paint(3, 3), 'input_invalid');
    refused(
      {
        kind: 'spot',
        id: randomUUID(),
        spot: 's',
        label: 'ad',
        airings: [{ recording: FIRST, start: 5, end: 4 }],
      },
      'input_invalid',
    );
    assert.doesNotThrow(() => admit(new Labels(), durations, { labeller: 'ann', action: paint(50, 60.5) }));
  });

  test('actions that are not this labeller’s, and nothing to take back', () => {
    const step = paint(0, 5);
    const labels = fold(step);
    refused(extend(randomUUID(), 6), 'not_found', labels);
    refused(undo(randomUUID()), 'not_found', labels);
    refused(redo(), 'conflict', labels);
    refused(undo(), 'conflict');
    apply(labels, undo(step.id));
    refused(undo(step.id), 'conflict', labels);
    assert.throws(() => admit(labels, durations, { labeller: 'bob', action: undo(step.id) }), {
      code: 'not_found',
    });
  });
});
