// Everything by keyboard: from the overview to a letter, in a dialog and out of it.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Broker, heading, open } from './rig.mjs';

let broker;

before(async () => {
  broker = await Broker.start();
  await broker.shunt(['topic', 'create', 'orders']);
  await broker.deaths('orders', ['a', 'b', 'c'].map((message) => ({ type: 'Error', message })));
});
after(() => broker?.remove());

const focused = (page) => page.evaluate(() => document.activeElement.textContent.trim() || document.activeElement.getAttribute('aria-label'));

// The page that was gone to has the focus: that comes when it is drawn, a moment after its heading can be seen.
const onPage = (page) => page.waitForFunction(() => document.activeElement.id === 'main');

// Press Tab until what is focused is called so.
async function tabTo(page, name, most = 60) {
  for (let at = 0; at < most; at++) {
    await page.keyboard.press('Tab');
    if (name.test((await focused(page)) ?? '')) return;
  }
  assert.fail(`${name} is not reached by Tab`);
}

test('the first Tab offers the way past the navigation', async () => {
  const window = await open(broker.at, '#/');
  const { page } = window;
  await page.getByRole('link', { name: 'orders' }).waitFor();
  await page.keyboard.press('Tab');
  assert.equal(await focused(page), 'To the page');
  await page.keyboard.press('Enter');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'main');
  await window.close();
});

test('one gets from the overview to a letter, and to what can be done with it', async () => {
  const window = await open(broker.at, '#/');
  const { page } = window;
  await page.getByRole('link', { name: 'orders' }).waitFor();
  await tabTo(page, /^orders$/);
  await page.keyboard.press('Enter');
  await heading(page, 'orders / default');
  await onPage(page);
  assert.equal(await page.evaluate(() => document.activeElement.getAttribute('aria-label')), 'orders / default');
  await tabTo(page, /^Letters$/);
  await page.keyboard.press('Enter');
  await page.getByRole('link', { name: 'orders/3' }).waitFor();
  await tabTo(page, /^orders\/1$/);
  await page.keyboard.press('ArrowDown');
  assert.equal(await focused(page), 'orders/2');
  await page.keyboard.press('ArrowUp');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await heading(page, 'orders/2');
  await onPage(page);
  await tabTo(page, /^Redrive…$/);
  await page.keyboard.press('Enter');
  await page.getByRole('dialog', { name: 'Redrive' }).waitFor();
  assert.equal(await page.evaluate(() => Boolean(document.activeElement.closest('dialog'))), true);
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  assert.equal(await focused(page), 'Redrive…');
  await window.close();
});

test('single keys go to pages, not while one types, and can be turned off', async () => {
  const window = await open(broker.at, '#/');
  const { page } = window;
  await page.getByRole('link', { name: 'orders' }).waitFor();
  await page.keyboard.press('g');
  await page.keyboard.press('j');
  await heading(page, 'Jobs');
  await onPage(page);
  await page.keyboard.press('/');
  await page.keyboard.type('orders/2 gj?');
  assert.equal(await page.getByRole('dialog').count(), 0);
  await page.getByRole('searchbox', { name: /^Go to/ }).fill('orders/2');
  await page.keyboard.press('Enter');
  await heading(page, 'orders/2');
  await onPage(page);
  await page.keyboard.press('?');
  await page.getByRole('dialog', { name: 'Help' }).waitFor();
  await page.getByLabel('Single keys do this').uncheck();
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  await page.keyboard.press('g');
  await page.keyboard.press('j');
  await page.keyboard.press('?');
  await heading(page, 'orders/2');
  assert.equal(await page.getByRole('dialog').count(), 0);
  await window.close();
});
