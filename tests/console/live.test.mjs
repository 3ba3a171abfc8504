// What is shown is live, or says that it is not: the stream is cut and comes again, the server is restarted, two people work at once.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { act, Broker, go, open, refusals, Wire } from './rig.mjs';

let broker;

before(async () => { broker = await Broker.start(); });
after(() => broker?.remove());

test('a page whose stream is cut says so, and catches up when it is back', async () => {
  await broker.shunt(['topic', 'create', 'cut']);
  const wire = await Wire.to(broker);
  const window = await open(wire.at, '#/q/cut/default', { allowed: refusals });
  const { page } = window;
  await page.locator('.liveness.live').waitFor();
  wire.cut();
  await page.getByText(/^Not live since/).waitFor();
  await page.locator('main[data-stale=yes]').waitFor();
  await page.locator('.liveness.lost').waitFor();
  await broker.shunt(['group', 'pause', 'cut', 'default']);
  const tried = page.waitForRequest((request) => request.url().endsWith('/events'));
  await page.getByRole('button', { name: 'Try now' }).click(); // while the wire is cut: else the page may be live before it
  await tried;
  wire.mend();
  await page.locator('.liveness.live').waitFor();
  await page.getByRole('button', { name: 'Resume…' }).waitFor();
  assert.equal(await page.locator('main[data-stale]').count(), 0);
  await window.close();
  wire.end();
});

test('a stream that comes again goes on behind the last change that it was told', async () => {
  await broker.shunt(['topic', 'create', 'again']);
  const wire = await Wire.to(broker);
  const window = await open(wire.at, '#/q/again/default', { allowed: refusals });
  const { page } = window;
  const ids = [];
  page.on('request', (request) => request.url().endsWith('/events') && ids.push(request.headers()['last-event-id']));
  await page.locator('.liveness.live').waitFor();
  await broker.shunt(['group', 'pause', 'again', 'default']);
  await page.getByRole('button', { name: 'Resume…' }).waitFor();
  wire.cut();
  await page.locator('.liveness.lost').waitFor();
  wire.mend();
  await page.locator('.liveness.live').waitFor();
  assert.match(ids.at(-1), /^[0-9a-f]+-\d+$/);
  await window.close();
  wire.end();
});

test('a server that is restarted under an open page is found again, and what it has is shown', async () => {
  await broker.shunt(['topic', 'create', 'restart']);
  const window = await open(broker.at, '#/q/restart/default', { allowed: refusals });
  const { page } = window;
  await page.locator('.liveness.live').waitFor();
  await broker.stop();
  await page.locator('.liveness.lost').waitFor();
  await broker.start();
  await page.locator('.liveness.live').waitFor();
  await broker.deaths('restart', [{ type: 'Late', message: 'after the restart' }]);
  await page.getByRole('link', { name: /Late: after the restart/ }).waitFor();
  await window.close();
});

test('an act whose answer was lost says that it is not known whether it was done', async () => {
  await broker.shunt(['topic', 'create', 'unknown']);
  const wire = await Wire.to(broker);
  const window = await open(wire.at, '#/q/unknown/default', { allowed: refusals });
  const { page } = window;
  await page.getByRole('button', { name: 'Pause…' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Reason').fill('x');
  wire.cut();
  await dialog.getByRole('button', { name: 'Pause' }).click();
  await dialog.getByRole('alert').filter({ hasText: 'Whether the act took effect is not known' }).waitFor();
  await window.close();
  wire.end();
});

test('what one does, the other sees', async () => {
  await broker.shunt(['topic', 'create', 'both']);
  await broker.deaths('both', [{ type: 'Shared', message: 'of both' }]);
  const [{ cause }] = await broker.rows(['dlq', 'causes', 'both']);
  const one = await open(broker.at, `#/q/both/default/cause/${cause}`);
  const other = await open(broker.at, '#/q/both/default');
  await other.page.getByText('nobody looked').first().waitFor();
  await act(one.page, 'Decide…', 'Note it', 'R-both', (dialog) => dialog.getByLabel('Owner').fill('ann'));
  await other.page.getByRole('cell', { name: 'ann' }).waitFor();
  await act(other.page, 'Pause…', 'Pause', 'R-other');
  await go(one.page, '#/q/both/default');
  await one.page.getByRole('button', { name: 'Resume…' }).waitFor();
  await one.close();
  await other.close();
});

test('more pages than there are streams fetch what they show, and say so', { timeout: 120000 }, async () => {
  const full = await Broker.start(); // of its own: in another one, places come free when windows of other tests are found to be gone
  const ends = [];
  for (;;) {
    const stop = new AbortController();
    const answer = await fetch(`http://${full.at}/api/v1/events`, { signal: stop.signal });
    if (answer.status === 503) break;
    ends.push(stop);
  }
  assert.equal(ends.length, 8);
  const window = await open(full.at, '#/', { allowed: refusals });
  await window.page.getByText('No live stream.').waitFor();
  await full.shunt(['topic', 'create', 'polled']);
  await window.page.getByRole('link', { name: 'polled' }).waitFor();
  for (const stop of ends) stop.abort();
  await window.page.locator('.liveness.live').waitFor();
  await window.close();
  await full.remove();
});

test('a row that moves keeps the focus', async () => {
  await broker.shunt(['topic', 'create', 'aa-first']);
  await broker.shunt(['topic', 'create', 'zz-last']);
  const window = await open(broker.at, '#/');
  const { page } = window;
  const link = page.getByRole('link', { name: 'zz-last' });
  await link.focus();
  const place = () => page.evaluate(() => [...document.querySelectorAll('tbody tr')].indexOf(document.activeElement.closest('tr')));
  const before = await place();
  await broker.deaths('zz-last', [{ type: 'Moves', message: 'up' }]);
  await page.getByRole('row').filter({ hasText: 'zz-last' }).getByText('new dead letters').waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.textContent), 'zz-last');
  assert.ok((await place()) < before);
  await window.close();
});
