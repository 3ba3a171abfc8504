// What came from outside is data: markup stays text, what would hide or reorder is shown by its number, and no script runs.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { Broker, fits, go, heading, open } from './rig.mjs';

let broker;
const corpus = JSON.parse(await readFile(new URL('hostile.json', import.meta.url), 'utf8'));

before(async () => {
  broker = await Broker.start();
  await broker.shunt(['topic', 'create', 'hostile', '--max-attempts', '1']);
  const first = (text, most) => Array.from(text.replaceAll('\0', '')).slice(0, most).join('');
  await broker.deaths('hostile', corpus.map((text) => ({
    body_base64: Buffer.from(text).toString('base64'),
    headers: { note: first(text, 200), 'X-<b>': first(text, 20) },
    key: first(text, 40),
    type: first(text, 30),
    message: first(text, 250),
    stack: `${first(text, 500)}\n  at ${first(text, 30)} (file.js:1)`,
  })));
  await broker.shunt(['group', 'pause', 'hostile', 'default', '--because', corpus[0]]);
});

after(() => broker?.remove());

test('each text of the corpus is shown as text on every page that shows it, and nothing of it runs', { timeout: 300000 }, async () => {
  const window = await open(broker.at, '#/', { width: 360, height: 800 });
  const { page } = window;
  const counts = () => page.evaluate(() => ['script', 'iframe', 'object', 'embed', 'base', 'link', 'style', 'meta', 'img', 'form'].map((name) => `${name} ${document.querySelectorAll(name).length}`).join());
  await page.getByRole('link', { name: 'hostile' }).waitFor();
  for (const [at, text] of corpus.entries()) {
    await go(page, `#/q/hostile/default/letter/${at + 1}`);
    await heading(page, `hostile/${at + 1}`);
    const shown = page.getByRole('region').or(page.locator('.body pre, .body .tree')).first();
    await shown.waitFor();
    const plain = text.replace(/[^\x20-\x7e]/g, '').slice(0, 40);
    const read = await page.locator('main').evaluate((main) => [...main.querySelectorAll('.code-point')].reduce((whole, each) => whole.replace(each.textContent, ''), main.textContent).replace(/[^\x20-\x7e]/g, ''));
    assert.ok(read.includes(plain.slice(0, 12)), `letter ${at + 1} shows ${JSON.stringify(plain)}`);
    await fits(page, `letter ${at + 1}`);
  }
  await go(page, '#/q/hostile/default/letter/1');
  await heading(page, 'hostile/1');
  const usual = await counts();
  for (const route of ['#/q/hostile/default/letters', '#/q/hostile/default', '#/audit', '#/jobs', '#/consumers', `#/m/hostile/${corpus.length}`]) {
    await go(page, route);
    await page.getByRole('heading', { level: 1 }).waitFor();
    assert.match(await counts(), /script 1,iframe 0,object 0,embed 0,base 0,link 2,style 0/, `${route} ${usual}`);
  }
  const { causes } = await broker.call('GET', 'topics/hostile/groups/default/dlq/causes');
  for (const { cause } of causes) {
    await go(page, `#/q/hostile/default/cause/${cause}`);
    await page.getByText('Fingerprint').waitFor();
  }
  assert.match(await counts(), /script 1,iframe 0,object 0,embed 0,base 0,link 2,style 0/);
  await window.close();
});

test('characters that cannot be seen, or reorder, never reach the page as they are', async () => {
  const window = await open(broker.at, '#/q/hostile/default/letters');
  const { page } = window;
  await page.getByRole('link', { name: 'hostile/1', exact: true }).waitFor();
  for (const route of ['#/q/hostile/default/letters', '#/q/hostile/default', ...corpus.map((_, at) => `#/q/hostile/default/letter/${at + 1}`)]) {
    await go(page, route);
    await page.getByRole('heading', { level: 1 }).waitFor();
    const found = await page.evaluate(() => {
      const bad = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/u;
      const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
      const texts = [];
      for (let node = walk.nextNode(); node; node = walk.nextNode()) if (bad.test(node.data)) texts.push(node.data);
      for (const each of document.querySelectorAll('[title], [aria-label]')) if (bad.test(each.title + each.getAttribute('aria-label'))) texts.push(each.outerHTML);
      return texts;
    });
    assert.deepEqual(found, [], route);
  }
  await window.close();
});

test('an address with markup in it is a page that is not there', async () => {
  for (const route of ['#/q/%3Cimg%20src=x%20onerror=ran(1)%3E/default', '#/%3Cscript%3Eran(1)%3C/script%3E', '#/q/a/b/cause/%22%3E%3Csvg%20onload=ran(1)%3E', '#/m/javascript:ran(1)/1', '#/q/%E0%A4%A/default']) {
    const window = await open(broker.at, route, { allowed: /Failed to load resource/ });
    await window.page.getByRole('heading', { level: 1 }).waitFor();
    await window.close();
  }
});
