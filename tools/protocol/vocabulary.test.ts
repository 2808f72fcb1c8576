import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ORDERS } from '@adbreak/hub/rollouts/events.js';
import { CAUSES, VERDICTS } from '@adbreak/hub/rollouts/verdicts.js';
import { ROLES } from '@adbreak/shared/contract/http/access.js';
import { STATUSES } from '@adbreak/shared/contract/http/rollout-view.js';
import { OPERATOR_ROLES, operatorCommand, rolloutState } from '@adbreak/shared/contract/operators.js';
import { examples } from './examples.js';
import { fieldsOf } from './tables.js';

const [example] = examples().filter(({ message }) => message === 'rolloutState');
const STATE: object = JSON.parse(example?.text ?? '{}');

/** The contract of operators stands in shared and cannot ask the hub: it must speak of what the hub has. */
describe('the words of the contract of operators', () => {
  test('for roles are the hub’s, in their order', () => assert.deepEqual([...OPERATOR_ROLES], [...ROLES]));
  test('for the states of a rollout are the hub’s, all of them', () => {
    const [, , meaning = ''] = fieldsOf('rolloutState').find(([field]) => field === '`status`') ?? [];
    assert.deepEqual(
      [...meaning.matchAll(/`([a-z-]+)`/g)].map(([, word]) => word),
      [...STATUSES],
    );
  });
  test('have room for each verdict and cause', () => {
    const at = '2026-01-01T00:00:00.000Z';
    for (const verdict of [...VERDICTS, 'ORDER'])
      for (const cause of [...CAUSES, 'person'])
        assert.ok(
          rolloutState.safeParse({ ...STATE, last: { at, verdict, cause, reason: '', action: 'none' } })
            .success,
          `${verdict} ${cause}`,
        );
  });
  test('for orders are the hub’s, without what goes past the gate or is no order of its own', () => {
    const takes = (command: string) =>
      operatorCommand.safeParse({ command, deadline: '2026-01-01T00:00:00.000Z', rollout: 'r1', reason: 'x' })
        .success;
    assert.deepEqual(
      ORDERS.filter((order) => !takes(order)),
      ['force', 'supersede', 'ceiling'],
    );
  });
});
