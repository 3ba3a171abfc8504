import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fits, may } from '../src/lib/rights.js';

test('a pattern fits as the server says', () => {
  for (const [pattern, name, fit] of [['orders', 'orders', true], ['orders', 'orders2', false], ['*', '', true], ['*', 'x', true], ['or*', 'orders', true], ['*ers', 'orders', true], ['o*d*s', 'orders', true], ['o*s*s', 'orders', false], ['ab*ba', 'aba', false], ['a**b', 'ab', true], ['*x*', 'abc', false]]) {
    assert.equal(fits(pattern, name), fit, `${pattern} ${name}`);
  }
});

test('one may what a grant gives on the topic, and nothing else', () => {
  const who = { user: 'ann', effective: ['orders*:look,dlq-look', 'mails:all'] };
  assert.equal(may(who, 'dlq-look', 'orders-eu'), true);
  assert.equal(may(who, 'dlq-redrive', 'orders-eu'), false);
  assert.equal(may(who, 'dlq-redrive', 'mails'), true);
  assert.equal(may(who, 'look', 'other'), false);
  assert.equal(may({ user: 'ann', effective: ['*:admin'] }, 'admin'), true);
  assert.equal(may(who, 'admin'), false);
});

test('an administrator may everything, and so may everybody where nobody has to log in', () => {
  assert.equal(may({ user: null }, 'admin', 'x'), true);
  assert.equal(may({ user: 'root', administrator: true, grants: [] }, 'dlq-purge', 'x'), true);
  assert.equal(may(null, 'look', 'x'), false);
});
