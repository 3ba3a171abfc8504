import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseTree } from '../src/lib/json.js';

const plain = (node) => {
  if (node.kind === 'object') return Object.fromEntries(node.members.map(([name, member]) => [name, plain(member)]));
  if (node.kind === 'array') return node.items.map(plain);
  return node.kind === 'string' ? node.value : JSON.parse(node.text);
};

test('what JSON.parse takes is taken, and is the same', () => {
  for (const text of ['{}', '[]', ' { "a" : [ 1 , -2.5e+3, true, false, null, "\\u00e9\\n" ] } ', '"x"', '0', '[[[]]]', '{"":{"b":[{}]}}']) assert.deepEqual(plain(parseTree(text)), JSON.parse(text));
});

test('what JSON.parse refuses is refused', () => {
  for (const text of ['', '{', '[1,]', '{"a":1,}', '01', '1.', '.5', '+1', "{'a':1}", '[1] 2', 'nul', '"a\nb"', '"\\x"', '\u00a01', 'NaN', '{"a"}', '[,]']) {
    assert.throws(() => JSON.parse(text), undefined, text);
    assert.equal(parseTree(text), null, text);
  }
});

test('long numbers keep their digits, and members of one name are all there', () => {
  const tree = parseTree('{"n": 12345678901234567890, "n": 1}');
  assert.equal(tree.members[0][1].text, '12345678901234567890');
  assert.equal(tree.members.length, 2);
});

test('what is nested too deeply is not shown as a tree', () => {
  assert.notEqual(parseTree('['.repeat(100) + ']'.repeat(100)), null);
  assert.equal(parseTree('['.repeat(102) + ']'.repeat(102)), null);
  assert.equal(parseTree('['.repeat(100000)), null);
});
