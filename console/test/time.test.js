import assert from 'node:assert/strict';
import { test } from 'node:test';
import { age, clockTime, duration, fullTime, learnClock, now, parseDuration, showUtc, zoneAt } from '../src/lib/time.js';

test('durations are written as the tool writes them', () => {
  assert.equal(duration(0), '0s');
  assert.equal(duration(12), '12ms');
  assert.equal(duration(1400), '1.4s');
  assert.equal(duration(1499), '1.4s');
  assert.equal(duration(90000), '1m30s');
  assert.equal(duration(8280000), '2h18m');
  assert.equal(duration(3600000), '1h');
  assert.equal(duration(3605000), '1h');
  assert.equal(duration(90061001, 5), '1d1h1m1s1ms');
});

test('a duration that was written is read as the same', () => {
  for (const ms of [0, 1, 999, 1000, 1500, 61000, 3600000, 90061001, 315360000000]) assert.equal(parseDuration(duration(ms, 5)), ms);
  assert.equal(parseDuration('1.5h'), 5400000);
  assert.equal(parseDuration('500'), 500);
  for (const text of ['', 'h', '5x', '1h 5m', '-1s', 'soon']) assert.ok(Number.isNaN(parseDuration(text)), text);
});

test('an age has no part that changes faster than one reads', () => {
  assert.equal(age(42999), '42s');
  assert.equal(age(8280000 + 59000), '2h18m');
  assert.equal(age(500), '0s');
});

test('times have their zone', () => {
  showUtc(true);
  const ms = Date.UTC(2026, 10, 30, 0, 42, 7, 123);
  assert.equal(zoneAt(ms), 'UTC');
  assert.equal(fullTime(ms), '2026-11-30 00:42:07.123 UTC');
  assert.equal(clockTime(ms, ms + 1000), '00:42:07');
  assert.equal(clockTime(ms, ms + 86400000), '2026-11-30 00:42:07');
  showUtc(false);
});

test('the server’s clock decides, and a time to the second does not move one that is nearer', () => {
  learnClock(Date.now() + 60000);
  assert.ok(Math.abs(now() - Date.now() - 60000) < 1000);
  learnClock(Date.now() + 59000, false);
  assert.ok(Math.abs(now() - Date.now() - 60000) < 500);
  learnClock(Date.now());
});
