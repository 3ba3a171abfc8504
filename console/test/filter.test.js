import assert from 'node:assert/strict';
import { test } from 'node:test';
import { filterCommand, filterFields, filterQuery, filterText, fixed, parseFilter } from '../src/lib/filter.js';

const read = (text) => {
  const { filter, error } = parseFilter(text);
  assert.equal(error, undefined);
  return filter;
};

test('a filter that is written is read as the same', () => {
  for (const filter of [{}, { cause: '9f09cf0d04ea217d' }, { type: 'exit 1', match: 'say "no" \\ or', header: 'shop=north east', key: 'ann' }, { reason: 'rejected', since: '2h' }]) {
    assert.deepEqual(read(filterText(filter)), filter);
  }
});

test('what is not understood is told, with what to correct', () => {
  for (const [text, word] of [['colour=red', 'colour'], ['type', 'type'], ['type=a type=b', 'twice'], ['cause=xyz', '16'], ['since=yesterday', 'since'], ['header=shop', 'NAME=VALUE'], ['match="open', 'open'], ['key=', 'no value']]) {
    assert.match(parseFilter(text).error, new RegExp(word), text);
  }
});

test('a time ago becomes one point in time, for all pages of a listing', () => {
  const once = fixed({ since: '2h' });
  assert.match(once.since, /^\d{4}-\d\d-\d\dT/);
  assert.deepEqual(fixed(once), once);
  assert.equal(filterQuery(once).since, String(Date.parse(once.since)));
});

test('a header is one field with a name and a value', () => {
  assert.deepEqual(filterFields({ header: 'shop=north=east', type: 'a' }), { header: ['shop', 'north=east'], type: 'a' });
});

test('the command says the same', () => {
  assert.equal(filterCommand('redrive', 'orders', 'bill', { match: 'no such' }, '--dry-run'), "shunt dlq redrive orders -g bill --match 'no such' --dry-run");
});
