// Each page shows what it is for, has no fault that axe finds in either colour scheme, and fits a narrow window.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { accessible, act, Broker, fits, go, heading, open } from './rig.mjs';

let broker;
let cause;
const stack = 'Traceback (most recent call last):\n  File "/srv/app/charge.py", line 4, in charge\nValueError: no price for article 4711';

before(async () => {
  broker = await Broker.start();
  await broker.shunt(['topic', 'create', 'orders', '--max-attempts', '3', '--dlq-slo', '10ms']);
  await broker.shunt(['topic', 'create', 'quiet']);
  await broker.deaths('orders', [
    { body: '{"order": 17, "total": 12345678901234567890, "lines": [{"article": 4711}]}', headers: { shop: 'north' }, key: 'ann', type: 'ValueError', message: 'ValueError: no price for article 4711', stack },
    { body_base64: 'AP8Q', type: 'ValueError', message: 'ValueError: no price for article 12', stack },
    { body: 'plain words', type: 'Timeout', message: 'no answer in 30s' },
  ]);
  await broker.shunt(['publish', 'orders', 'later', '--delay', '1h']);
  await broker.shunt(['rule', 'set', 'orders', '--action', 'redrive', '--type', 'exit 75', '--times', '5']);
  cause = (await broker.rows(['dlq', 'causes', 'orders'])).find((each) => each.title.startsWith('ValueError')).cause;
});

after(() => broker?.remove());

// Pages with what is to be seen there when they are whole.
const pages = () => [
  ['', (page) => page.getByRole('heading', { name: /Nobody has looked at 3 dead letters in 1 queue/ })],
  ['#/q/orders/default', (page) => page.getByRole('link', { name: /ValueError: no price for article # at charge/ })],
  [`#/q/orders/default/cause/${cause}`, (page) => page.getByText('File "/srv/app/charge.py", line 4, in charge').first()],
  ['#/q/orders/default/letters', (page) => page.getByRole('link', { name: 'orders/3' })],
  ['#/q/orders/default/letter/1', (page) => page.getByText('12345678901234567890')],
  ['#/q/orders/default/letter/2', (page) => page.getByText('00 ff 10')],
  ['#/q/orders/default/holders', (page) => page.getByText('Nothing is in flight.')],
  ['#/q/orders/default/keys', (page) => page.getByText('No dead letter holds a key.')],
  ['#/q/orders/default/rules', (page) => page.getByText('type="exit 75"')],
  ['#/q/orders/default/settings', (page) => page.getByText('failed attempts before a message is dead-lettered')],
  ['#/settings/orders', (page) => page.getByText('time to live of messages published without one')],
  ['#/m/orders/1', (page) => page.getByRole('link', { name: 'Open its dead letter' })],
  ['#/jobs', (page) => page.getByText('No job runs, and none is remembered.')],
  ['#/consumers', (page) => page.getByRole('status').filter({ hasText: /of \d+ connection/ })],
  ['#/audit', (page) => page.getByRole('row').filter({ hasText: 'rule set' })],
  ['#/nowhere', (page) => page.getByText('Go to the overview')],
];

for (const [scheme, width] of [['light', 1280], ['dark', 360]]) {
  test(`every page is whole and accessible, ${scheme}, ${width} wide`, { timeout: 480000 }, async () => {
    const window = await open(broker.at, '', { scheme, width, height: 800 });
    for (const [route, seen] of pages()) {
      await go(window.page, route || '#/');
      await seen(window.page).waitFor();
      await accessible(window.page, `${route} ${scheme} ${width}`);
      await fits(window.page, `${route} ${width}`);
    }
    await window.close();
  });
}

test('dialogs are accessible in both schemes, and fit a narrow window', { timeout: 480000 }, async () => {
  for (const [scheme, width] of [['light', 1280], ['dark', 360]]) {
    const window = await open(broker.at, `#/q/orders/default/cause/${cause}`, { scheme, width });
    const { page } = window;
    for (const button of ['Redrive…', 'Decide…', 'Purge…']) {
      await page.getByRole('button', { name: button }).click();
      const dialog = page.getByRole('dialog');
      await dialog.getByLabel('Reason').waitFor();
      if (button !== 'Decide…') await dialog.getByText('2 letters').first().waitFor();
      await accessible(page, `${button} ${scheme} ${width}`);
      await fits(page, button);
      await page.keyboard.press('Escape');
      await dialog.waitFor({ state: 'detached' });
    }
    await go(page, '#/q/orders/default/letter/1');
    await page.getByRole('button', { name: 'Edit…' }).click();
    await page.getByLabel('As it will go back').waitFor();
    await accessible(page, `edit ${scheme} ${width}`);
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'Help and keys' }).click();
    await page.getByRole('dialog', { name: 'Help' }).waitFor();
    await accessible(page, `help ${scheme} ${width}`);
    await window.close();
  }
});

test('a letter shows its body as a tree, as text and in hex, its headers, and every attempt', async () => {
  const window = await open(broker.at, '#/q/orders/default/letter/1');
  const { page } = window;
  await page.getByText('article:').or(page.getByText('lines')).first().waitFor();
  await page.getByRole('button', { name: 'Text', exact: true }).click();
  await page.getByLabel('Body as text').getByText('{"order": 17').waitFor();
  await page.getByRole('button', { name: 'Hex', exact: true }).click();
  await page.getByLabel('Body in hex').getByText('7b 22 6f 72 64 65 72 22').waitFor();
  await page.getByRole('cell', { name: 'north' }).waitFor();
  await page.locator('.badge', { hasText: 'was rejected' }).first().waitFor();
  await page.getByText('its handler rejected it, and then it dies whatever max-attempts says').waitFor();
  await window.close();
});

test('what is shown can be copied as a command', async () => {
  const window = await open(broker.at, '#/q/orders/default/letter/1');
  const { page } = window;
  await page.getByText('As commands').click();
  const row = page.getByRole('listitem').filter({ hasText: 'Say why' }).last();
  await row.getByRole('button', { name: 'Copy' }).click();
  await row.getByRole('button', { name: 'Copied' }).waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), 'shunt why orders/1 -g default');
  await window.close();
});

test('a healthy broker says so', async () => {
  const healthy = await Broker.start();
  await healthy.shunt(['topic', 'create', 'quiet']);
  const window = await open(healthy.at);
  await window.page.getByRole('heading', { name: 'All is well' }).waitFor();
  await window.page.getByText('There are no dead letters, no breaker is open, nothing is paused.').waitFor();
  await window.close();
  await healthy.remove();
});

test('times have their zone, and can be had as UTC', async () => {
  const window = await open(broker.at, '#/q/orders/default/letter/1');
  const { page } = window;
  await heading(page, 'orders/1');
  const time = page.locator('time').first();
  assert.match(await time.textContent(), /\d\d:\d\d:\d\d \+0[12]:00$/);
  await page.getByTitle('Show times as UTC').click();
  await page.locator('time', { hasText: 'UTC' }).first().waitFor();
  await window.close();
});
