import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Pages } from '../src/lib/pages.js';

const numbers = (from, count) => Array.from({ length: count }, (_, at) => from + at);
const filled = () => {
  const pages = new Pages(2);
  for (let page = 0; page < 5; page++) pages.append(numbers(page * 10 + 1, 10), page * 10 + 10, page < 4);
  return pages;
};

test('rows come from the page that holds them', () => {
  const pages = filled();
  assert.equal(pages.size, 50);
  assert.deepEqual(pages.slice(8, 12).map((each) => each.row), [9, 10, 11, 12]);
  assert.equal(pages.end, 50);
  assert.equal(pages.more, false);
});

test('what is far away is forgotten, and fetched again by its cursor', () => {
  const pages = filled();
  pages.forget(45);
  assert.equal(pages.size, 50);
  assert.equal(pages.pages.filter((page) => page.rows).length, 2);
  assert.equal(pages.slice(0, 1)[0].row, null);
  const at = pages.missing(0, 5);
  assert.equal(at, 0);
  assert.equal(pages.pages[at].after, 0);
  pages.refill(at, numbers(1, 10), (row) => row);
  assert.equal(pages.slice(0, 1)[0].row, 1);
});

test('a page that came again with fewer rows takes none of the next one', () => {
  const pages = filled();
  pages.refill(0, [2, 4, 11, 12], (row) => row);
  assert.deepEqual(pages.slice(0, 4).map((each) => each.row), [2, 4, 11, 12]);
  assert.equal(pages.size, 42);
});

test('a page that a filter leaves empty moves the cursor on', () => {
  const pages = new Pages();
  pages.append([], 1000, true);
  assert.equal(pages.end, 1000);
  pages.append([1001], 1500, true);
  pages.append([], 2000, false);
  assert.equal(pages.end, 2000);
  assert.equal(pages.size, 1);
});
