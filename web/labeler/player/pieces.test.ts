import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { forgettable, isLoaded, pieceAt, pieceEnd, wantedPieces } from './pieces.js';

const starts = Array.from({ length: 100 }, (_, i) => i * 4);
const plan = { starts, duration: 398, speed: 0 };

describe('which pieces a player wants', () => {
  test('where it stands: the one under the playhead first, then ahead, then behind', () => {
    assert.deepEqual(wantedPieces({ ...plan, at: 41 }), [10, 11, 12, 9]);
    assert.deepEqual(wantedPieces({ ...plan, at: 0 }), [0, 1, 2]);
  });

  test('at eight times the speed: so much more ahead that it waits as little', () => {
    const wanted = wantedPieces({ ...plan, at: 40, speed: 8 });
    assert.equal(wanted[0], 10);
    assert.equal(Math.max(...wanted), pieceAt(starts, 40 + 96));
  });

  test('at the end there is no more', () => {
    assert.deepEqual(wantedPieces({ ...plan, at: 397.9 }), [99, 98]);
    assert.equal(pieceEnd(starts, 99, 398), 398);
    assert.deepEqual(wantedPieces({ starts: [], duration: 0, at: 0, speed: 1 }), []);
  });

  test('what is far from the playhead is forgotten, never what is wanted', () => {
    assert.deepEqual(forgettable([[0, 390]], 200, 1), [
      [0, 140],
      [380, 390],
    ]);
    assert.deepEqual(forgettable([[190, 240]], 200, 1), []);
    const ahead = 96;
    assert.ok(forgettable([[200, 200 + ahead]], 200, 8).length === 0);
  });

  test('loaded is what is inside', () => {
    assert.deepEqual(
      [3.9, 4, 7.9, 8].map((time) => isLoaded([[4, 8]], time)),
      [false, true, true, false],
    );
  });
});
