// Much of it: a thousand topics at first view, and a list of very many letters. What is judged are counts (bytes, requests, rows, nodes) and processor time as a multiple
// of that of a piece of work done in the same page, so that a busy machine changes nothing; seconds are told, and not judged.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Broker, open } from './rig.mjs';

const topics = 1000;
const letters = Number(process.env.SHUNT_LETTERS ?? 200000); // a multiple of 10,000
const many = letters.toLocaleString('en');
const bytesMost = 200 * 1024;
const requestsMost = 10; // four files, who one is, the stream, the overview, the last hour, the sums
const workMost = 5; // measured: 0.6 to 1.8
const rowsMost = 80;
const heapMost = 24 << 20; // 200,000 letters take far more
const pageRows = 1000; // moreRows of console/src/parts/letters.js
let broker;

before(async () => { broker = await Broker.start(); });
after(() => broker?.remove());

// Processor time of the page's main thread, and what its document holds.
class Meter {
  static async of(page) {
    const meter = new Meter();
    meter.session = await page.context().newCDPSession(page);
    await meter.session.send('Performance.enable', { timeDomain: 'threadTicks' });
    return meter;
  }

  async read() {
    const { metrics } = await this.session.send('Performance.getMetrics');
    return Object.fromEntries(metrics.map(({ name, value }) => [name, value]));
  }

  // After everything that is not needed was thrown away.
  async held() {
    await this.session.send('HeapProfiler.collectGarbage');
    return this.read();
  }

  // What a piece of work costs here and now: to build, fill and lay out a table of `rows` rows by the document's own functions, without any library.
  async yardstick(page, rows) {
    const begun = await this.read();
    await page.evaluate((count) => {
      const table = document.createElement('table');
      for (let at = 0; at < count; at++) {
        const row = table.insertRow();
        for (let cell = 0; cell < 9; cell++) row.insertCell().textContent = JSON.stringify({ at, cell });
      }
      document.body.append(table);
      const height = table.getBoundingClientRect().height;
      table.remove();
      return height;
    }, rows);
    return (await this.read()).TaskDuration - begun.TaskDuration;
  }
}

test('the first view of a thousand topics comes within 200 KiB, in few requests and little work', { timeout: 300000 }, async (t) => {
  for (let at = 0; at < topics; at++) await broker.call('POST', 'topics', { topic: `topic-${String(at).padStart(4, '0')}` });
  await broker.deaths('topic-0777', [{ type: 'Lost', message: 'in a thousand' }]);
  const window = await open(broker.at, '#/nowhere');
  const { page } = window;
  const meter = await Meter.of(page);
  const asked = new Map(); // what, by the browser's number of the request
  const came = new Map(); // bytes, by what; the page asks again after some seconds, which is no first view
  await meter.session.send('Network.enable');
  await meter.session.send('Network.setCacheDisabled', { cacheDisabled: true });
  meter.session.on('Network.requestWillBeSent', (event) => asked.set(event.requestId, event.request.url.replace(/^[^/]*\/\/[^/]*/, '')));
  meter.session.on('Network.loadingFinished', (event) => {
    const what = asked.get(event.requestId);
    if (what && !came.has(what)) came.set(what, event.encodedDataLength);
  });
  await page.goto(`http://${broker.at}/console/`);
  const seconds = [];
  const works = [];
  for (let time = 0; time < 3; time++) {
    await page.goto(`http://${broker.at}/console/#/nowhere`);
    await page.reload();
    await page.getByText('Go to the overview').waitFor();
    const yard = await meter.yardstick(page, topics);
    asked.clear();
    came.clear();
    const begun = performance.now();
    const before = await meter.read();
    await page.evaluate(() => {
      history.replaceState(null, '', './');
      location.reload();
    });
    await page.getByText('1,000 queues').waitFor();
    await page.getByRole('row').nth(1).getByText('topic-0777').waitFor();
    seconds.push((performance.now() - begun) / 1000);
    const after = await meter.read();
    works.push((after.TaskDuration - before.TaskDuration) / yard);
    const bytes = [...came.values()].reduce((sum, each) => sum + each, 0);
    const requests = [...new Set(asked.values())];
    t.diagnostic(`${bytes} bytes, ${requests.length} requests, ${seconds.at(-1).toFixed(2)} s; ${(after.TaskDuration - before.TaskDuration).toFixed(3)} s of the page's thread, ${works.at(-1).toFixed(1)} times the yardstick`);
    assert.ok(bytes > 20000 && bytes <= bytesMost, `${bytes} bytes`);
    assert.ok(requests.length <= requestsMost, requests.join(' '));
    assert.equal(requests.filter((each) => each.includes('/api/v1/overview')).length, 1, 'a thousand topics are one answer');
  }
  const least = Math.min(...works);
  assert.ok(least > 0.05 && least < workMost, `${works.map((each) => each.toFixed(2))} times what a table of as many rows costs`);
  await window.close();
});

test('of a long list of letters only what is seen is drawn, and its end is reached by scrolling', { timeout: 1800000 }, async (t) => {
  let begun = performance.now();
  const lap = (what) => {
    t.diagnostic(`${what}: ${((performance.now() - begun) / 1000).toFixed(1)} s`);
    begun = performance.now();
  };
  await broker.shunt(['topic', 'create', 'long', '--ttl', '1ms']);
  const lines = Array.from({ length: 10000 }, () => '{"body": "x"}').join('\n');
  for (let at = 0; at < letters / 10000; at++) {
    const answer = await fetch(`http://${broker.at}/api/v1/topics/long/messages`, { method: 'POST', headers: { 'Content-Type': 'application/x-ndjson' }, body: lines });
    assert.equal(answer.status, 201, await answer.text());
  }
  lap('published');
  const window = await open(broker.at, '#/q/long/default/letters', { width: 1280, height: 800 });
  const { page } = window;
  await page.getByRole('definition').filter({ hasText: many }).first().waitFor();
  lap('dead');
  const list = page.getByRole('table', { name: 'Dead letters' });
  await page.getByRole('link', { name: 'long/1', exact: true }).waitFor();
  const meter = await Meter.of(page);
  let pages = 0;
  page.on('request', (request) => { pages += /\/dlq\/letters\?/.test(request.url()); });
  const first = await meter.held();
  // In the page itself, so that each step is a scroll and what follows from it. Rows are counted whenever one comes.
  const down = (steps) => list.evaluate(async (box, most) => {
    const rows = box.getElementsByClassName('letter-row');
    const status = box.parentElement.querySelector('[role=status]');
    let drawn = 0;
    let grown = () => {};
    const watch = new MutationObserver(() => {
      drawn = Math.max(drawn, rows.length);
      grown();
    });
    watch.observe(box.parentElement, { subtree: true, childList: true, characterData: true });
    let step = 0;
    for (; step < most && !/^[\d,]+ letters$/.test(status.textContent); step++) {
      const before = status.textContent;
      await new Promise((done) => {
        grown = () => status.textContent !== before && done();
        box.scrollTop = box.scrollHeight;
      });
    }
    watch.disconnect();
    return { drawn, step };
  }, steps);
  const part = letters / pageRows / 4;
  const parts = []; // the work of each
  let drawn = 0;
  for (;;) {
    const before = await meter.read();
    const done = await down(part);
    drawn = Math.max(drawn, done.drawn);
    if (done.step < part) break;
    parts.push((await meter.read()).TaskDuration - before.TaskDuration);
  }
  lap('scrolled');
  const last = await meter.held();
  t.diagnostic(`${drawn} rows drawn, ${pages} requests; seconds of the page's thread for each part: ${parts.map((each) => each.toFixed(2))}; nodes ${first.Nodes} and ${last.Nodes}, heap ${first.JSHeapUsedSize} and ${last.JSHeapUsedSize}`);
  assert.ok(drawn > 10 && drawn < rowsMost, `${drawn} rows were drawn`);
  assert.ok(pages >= letters / pageRows && pages <= letters / pageRows + 2, `${pages} requests`);
  assert.ok(last.Nodes < first.Nodes + 50 * rowsMost, `${last.Nodes} nodes, of ${first.Nodes}`);
  assert.ok(last.JSHeapUsedSize < heapMost, `${last.JSHeapUsedSize} bytes are held`);
  assert.ok(parts.at(-1) < 3 * parts[0], `the end of the list is as little work as its beginning: ${parts}`);
  await page.getByText(`${many} letters`, { exact: true }).waitFor();
  await list.evaluate((box) => { box.scrollTop = box.scrollHeight; });
  await page.getByRole('link', { name: `long/${letters}`, exact: true }).waitFor();
  await list.evaluate((box) => { box.scrollTop = 0; });
  await page.getByRole('link', { name: 'long/1', exact: true }).waitFor();
  lap('rest');
  await window.close();
});
