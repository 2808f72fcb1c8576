import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type PaintEvent, type Painting, paintStep } from './painting.js';

const REC = 'aaaaaaaaaaaaaaa1';
/** Runs events, and says what was sent in short. */
function run(events: readonly PaintEvent[]): { sent: string[]; painting: Painting | null } {
  let count = 0;
  let painting: Painting | null = null;
  const sent: string[] = [];
  for (const event of events) {
    const step = paintStep(painting, event, () => `id${++count}`);
    painting = step.painting;
    for (const action of step.actions) {
      if (action.kind === 'paint') sent.push(`${action.id} ${action.label} ${action.start}-${action.end}`);
      if (action.kind === 'extend') sent.push(`${action.of} to ${action.end}`);
    }
  }
  return { sent, painting };
}
const label = (at: number, value: 'ad' | 'content'): PaintEvent => ({
  kind: 'label',
  label: value,
  recording: REC,
  at,
  end: at + 0.04,
});

describe('labelling while it plays', () => {
  test('begins at the key, grows, and ends where the other begins', () => {
    const { sent, painting } = run([
      label(10, 'ad'),
      { kind: 'tick', at: 11 },
      label(12, 'content'),
      { kind: 'stop', at: 14 },
    ]);
    assert.deepEqual(sent, [
      'id1 ad 10-10.04',
      'id1 to 11',
      'id1 to 12',
      'id4 content 12-12.04',
      'id4 to 14',
    ]);
    assert.equal(painting, null);
  });

  test('the same key again goes on; a tick that brings nothing new says nothing', () => {
    const { sent, painting } = run([label(10, 'ad'), label(11, 'ad'), { kind: 'tick', at: 11 }]);
    assert.deepEqual(sent, ['id1 ad 10-10.04', 'id1 to 11']);
    assert.equal(painting?.id, 'id1');
  });

  test('nothing grows where nothing was begun', () => {
    assert.deepEqual(
      run([
        { kind: 'tick', at: 5 },
        { kind: 'stop', at: 6 },
      ]).sent,
      [],
    );
  });
});
