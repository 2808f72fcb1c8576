import assert from 'node:assert/strict';
import { test } from 'node:test';
import { emptyState } from '../store/state.js';
import { MODEL, modelEntry } from '../testing/state.js';
import { modelAtEnrolment } from './model-rules.js';

const RULES = { 'use=sports': 'sports-ad-detector', 'use=news': 'news-ad-detector' };

test('a card gets the model of its tags once that has a production version; what a person has made of its device before stays', () => {
  const state = emptyState();
  state.models['sports-ad-detector'] = modelEntry('1.0.0', ['1.0.0']);
  state.models['news-ad-detector'] = modelEntry(null, ['1.0.0']);
  const sports = { use: 'sports' };
  const model = (tags: Record<string, string>, known?: { model: string; tags: Record<string, string> }) =>
    modelAtEnrolment(state, known, tags, RULES);
  assert.equal(model({}), MODEL);
  assert.equal(model(sports), 'sports-ad-detector');
  assert.equal(model({ use: 'news' }), MODEL, 'nothing could run there yet');
  assert.equal(
    model(sports, { model: MODEL, tags: {} }),
    'sports-ad-detector',
    'the tag comes with this claim',
  );
  assert.equal(
    model(sports, { model: MODEL, tags: sports }),
    MODEL,
    'a person has moved it since the tag came',
  );
});
