import assert from 'node:assert/strict';
import { test } from 'node:test';
import { subjectOf, whoIs } from './subject.js';

test('a subject is a device’s by its name alone, an operator’s where it says so, in whatever order; all else is nobody', () => {
  assert.deepEqual(subjectOf('CN=pi-1'), { kind: 'device', name: 'pi-1' });
  for (const subject of ['OU=operator\nCN=desk', 'CN=desk\nOU=operator'])
    assert.deepEqual(subjectOf(subject), { kind: 'operator', name: 'desk' });
  for (const subject of [
    '',
    'CN=',
    'CN=Adbreak hub',
    'CN=constructor',
    'OU=operator',
    'OU=admin\nCN=desk',
    'CN=desk\nCN=pi-1',
    'O=x\nOU=operator\nCN=desk',
  ])
    assert.equal(subjectOf(subject), null, subject);
});

test('the names of both kinds never meet', () => {
  assert.equal(whoIs({ kind: 'device', name: 'desk' }), 'desk');
  assert.equal(whoIs({ kind: 'operator', name: 'desk' }), 'operator:desk');
});
