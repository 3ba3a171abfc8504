import assert from 'node:assert/strict';
import { test } from 'node:test';
import { attention, byAttention, verdict } from '../src/lib/attention.js';

const now = 10_000_000;
const row = (more) => ({ topic: 't', group: 'default', dlq_slo_ms: 300000, consumers: 1, ...more });

test('what nobody has looked at for too long comes first, then breakers, then the others', () => {
  const rows = [row({ topic: 'well' }), row({ topic: 'new', unattended: 1, dead: 1, oldest_unattended: now - 1000 }), row({ topic: 'paused', paused: true, ready: 3 }), row({ topic: 'open', breaker: 'open' }), row({ topic: 'late', unattended: 1, dead: 1, oldest_unattended: now - 300001 }), row({ topic: 'seen', dead: 5 })];
  assert.deepEqual(byAttention(rows, now).map((each) => each.topic), ['late', 'open', 'new', 'paused', 'seen', 'well']);
});

test('a letter is overdue after its time, and not at it, and never without one', () => {
  assert.notEqual(attention(row({ unattended: 1, oldest_unattended: now - 300000 }), now).word, 'overdue');
  assert.equal(attention(row({ unattended: 1, oldest_unattended: now - 300001 }), now).word, 'overdue');
  assert.notEqual(attention(row({ unattended: 1, oldest_unattended: 1, dlq_slo_ms: undefined }), now).word, 'overdue');
});

test('a healthy broker is said to be well, and only that', () => {
  assert.equal(verdict([row({}), row({ dead: 2 })], { full: false, conservation_error: 0 }, now).what, 'well');
  assert.equal(verdict([row({ paused: true, ready: 1 })], {}, now).what, 'others');
  assert.equal(verdict([row({ breaker: 'ramp' })], {}, now).what, 'breakers');
  assert.equal(verdict([row({ unattended: 2, oldest_unattended: now - 1 })], {}, now).kind, 'warn');
  assert.equal(verdict([row({ unattended: 2, oldest_unattended: 1 })], {}, now).kind, 'bad');
  assert.equal(verdict([row({ unattended: 2, oldest_unattended: 1 })], { full: true }, now).what, 'full');
});
