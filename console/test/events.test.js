import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventReader } from '../src/lib/events.js';

const stream = 'id: a-1\nevent: begin\ndata: {}\n\n: still here\n\nid: a-2\r\nevent: group_paused\r\ndata: {"topic":\r\ndata: "x"}\r\n\r\nevent: no_data\n\n';
const expected = [{ id: 'a-1', event: 'begin', data: '{}' }, { comment: 'still here' }, { id: 'a-2', event: 'group_paused', data: '{"topic":\n"x"}' }, { event: 'no_data' }];

test('events are the same however the text is cut into pieces', () => {
  for (const size of [1, 2, 3, 7, 1000]) {
    const told = [];
    const read = eventReader((event) => told.push(event));
    for (let at = 0; at < stream.length; at += size) read(stream.slice(at, at + size));
    assert.deepEqual(told, expected, `pieces of ${size}`);
  }
});

test('a line without end is refused', () => {
  const read = eventReader(() => {});
  assert.throws(() => { for (let at = 0; at < 200; at++) read('x'.repeat(10000)); }, RangeError);
});
