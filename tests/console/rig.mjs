// The rig: a fresh shuntd, Debian's Chromium, and pages that fail their test if a script ran that is not the console's, if anything was written to the
// browser's console as an error, or if the content policy was broken. Programs come from the environment: SHUNTD, SHUNT; CHROMIUM (default: chromium).
// Ports are chosen by the kernel. Nothing here waits for a time: it waits for what is to be seen.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after } from 'node:test';
import { chromium } from 'playwright-core';

const axeSource = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const programs = { shuntd: process.env.SHUNTD, shunt: process.env.SHUNT };
const startMs = 60000;
const seeMs = 30000; // until something is to be seen

// ---- the broker ----

export class Broker {
  // `settings`: the text of a configuration file.
  static async start(settings = '') {
    const broker = new Broker();
    broker.directory = await mkdtemp(join(tmpdir(), 'console-'));
    broker.options = ['--data', join(broker.directory, 'data')];
    if (settings) {
      await writeFile(join(broker.directory, 'settings.yaml'), settings.replaceAll('@DIRECTORY@', broker.directory));
      broker.options.push('--config', join(broker.directory, 'settings.yaml'));
    }
    await broker.launch('127.0.0.1:0', '127.0.0.1:0');
    return broker;
  }

  async launch(listen, http) {
    this.log = [];
    this.process = spawn(programs.shuntd, [...this.options, '--listen', listen, '--http', http], { stdio: ['ignore', 'ignore', 'pipe'] });
    this.ended = new Promise((end) => this.process.on('exit', (code, signal) => end(signal ?? code)));
    const lines = createInterface({ input: this.process.stderr });
    const line = await new Promise((found, fail) => {
      const timer = setTimeout(() => fail(new Error(`shuntd did not start:\n${this.log.join('\n')}`)), startMs);
      const settle = (how, what) => {
        clearTimeout(timer);
        how(what);
      };
      lines.on('line', (text) => {
        this.log.push(text);
        if (text.includes('event=listening')) settle(found, text);
      });
      this.process.on('exit', () => settle(fail, new Error(`shuntd ended:\n${this.log.join('\n')}`)));
      this.process.on('error', (error) => settle(fail, error));
    });
    this.listen = / listen=(\S+)/.exec(line)[1];
    this.at = / http=(\S+)/.exec(line)[1];
  }

  async stop() {
    this.process.kill('SIGTERM');
    assert.equal(await this.ended, 0, this.log.join('\n'));
  }

  // Again, at the same addresses, over the same data.
  start() {
    return this.launch(this.listen, this.at);
  }

  async remove() {
    if (this.process.exitCode === null) await this.stop();
    await rm(this.directory, { recursive: true, force: true });
  }

  // The tool; what it wrote to stdout. `input`: for its stdin.
  shunt(words, { input = '', codes = [0], environment = {} } = {}) {
    return new Promise((done, fail) => {
      const child = execFile(programs.shunt, words.map(String), { env: { ...process.env, SHUNT_URL: `shunt://${this.listen}`, ...environment }, maxBuffer: 1 << 26 }, (error, out, said) => {
        if (error && !codes.includes(error.code)) fail(new Error(`shunt ${words.join(' ')}: ${error.code}\n${out}${said}`));
        else done(out);
      });
      child.stdin.on('error', () => {});
      child.stdin.end(input);
    });
  }

  async rows(words) {
    return (await this.shunt([...words, '-o', 'jsonl'])).split('\n').filter(Boolean).map((line) => JSON.parse(line));
  }

  async call(method, path, body, headers = {}) {
    const answer = await fetch(`http://${this.at}/api/v1/${path}`, { method, headers: { 'Content-Type': 'application/json', ...headers }, body: body && JSON.stringify(body) });
    const text = await answer.text();
    assert.ok(answer.ok, `${method} ${path}: ${text}`);
    return JSON.parse(text);
  }

  // Messages that die of an error, one each: published, leased and rejected. An element: { body, headers, key, type, message, stack }.
  async deaths(topic, faults, group = 'default') {
    for (const { body = '{}', body_base64, headers, key, type, message, stack } of faults) {
      await this.call('POST', `topics/${topic}/messages`, { ...(body_base64 ? { body_base64 } : { body }), headers, key });
      const { messages } = await this.call('POST', `topics/${topic}/groups/${group}/lease`, { wait_ms: 30000 });
      await this.call('POST', `topics/${topic}/groups/${group}/reject`, { token: messages[0].token, error_type: type, error_message: message, error_stack: stack });
    }
  }

  // A worker of this group that goes on until it is stopped: `verdict(body)` is a shell command for each message. Returns what stops it.
  work(topic, command, ...options) {
    const child = spawn(programs.shunt, ['work', topic, ...options, '--', 'sh', '-c', command], { env: { ...process.env, SHUNT_URL: `shunt://${this.listen}` }, stdio: 'ignore' });
    const ended = new Promise((end) => child.on('exit', end));
    return async () => {
      child.kill('SIGTERM');
      await ended;
    };
  }
}

const wires = []; // of all tests: one that failed has not ended its own, and Node would not end

// A wire between a browser and the broker, which can be cut and mended.
export class Wire {
  static async to(broker) {
    const wire = new Wire();
    wires.push(wire);
    wire.pairs = new Set();
    wire.whole = true;
    wire.server = createServer((near) => {
      if (!wire.whole) return near.destroy();
      const [host, port] = broker.at.split(':');
      const far = connect(Number(port), host);
      const pair = [near, far];
      wire.pairs.add(pair);
      for (const [one, other] of [[near, far], [far, near]]) {
        one.pipe(other);
        one.on('error', () => other.destroy());
        one.on('close', () => {
          other.destroy();
          wire.pairs.delete(pair);
        });
      }
      return undefined;
    });
    await new Promise((listening) => wire.server.listen(0, '127.0.0.1', listening));
    wire.at = `127.0.0.1:${wire.server.address().port}`;
    return wire;
  }

  cut() {
    this.whole = false;
    for (const [near, far] of this.pairs) {
      near.destroy();
      far.destroy();
    }
  }

  mend() {
    this.whole = true;
  }

  end() {
    this.cut();
    this.server.close();
  }
}

// ---- the browser ----

let browser = null;

after(async () => {
  await browser?.close();
  for (const wire of wires) wire.end();
});

// What the browser writes by itself about an answer that is no 2xx, or that did not come.
export const refusals = /Failed to load resource/;

// A window of its own, on a page of the console. `allowed`: of errors that the test brings about. Pages are checked when the window is closed.
export async function open(at, route = '', { scheme = 'light', width = 1280, height = 900, allowed = null, touch = false, protocol = 'http', context: more = {} } = {}) {
  browser ??= await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] });
  const context = await browser.newContext({ colorScheme: scheme, viewport: { width, height }, hasTouch: touch, timezoneId: 'Europe/Berlin', ...more });
  await context.grantPermissions(['clipboard-read', 'clipboard-write']).catch(() => {});
  const page = await context.newPage();
  page.setDefaultTimeout(seeMs);
  const faults = [];
  page.on('console', (message) => message.type() === 'error' && !allowed?.test(message.text()) && faults.push(`console: ${message.text()}`));
  page.on('pageerror', (error) => faults.push(`error: ${error.stack}`));
  page.on('dialog', (dialog) => {
    faults.push(`a script ran: ${dialog.message()}`);
    dialog.dismiss();
  });
  await page.exposeFunction('ran', (what) => { faults.push(`a script ran: ${what}`); });
  await page.addInitScript(() => addEventListener('securitypolicyviolation', (event) => window.ran(`policy: ${event.violatedDirective} ${event.blockedURI}`)));
  await page.goto(`${protocol}://${at}/console/${route}`);
  return {
    page,
    faults,
    async close() {
      await context.close();
      assert.deepEqual(faults, []);
    },
  };
}

// Whether axe finds nothing to say against the page as it is.
export async function accessible(page, what) {
  await page.evaluate(axeSource); // by the debugger, so the page's policy does not concern it
  const { violations } = await page.evaluate(() => window.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }));
  const found = violations.flatMap((rule) => rule.nodes.map((node) => `${rule.id}: ${node.html.slice(0, 200)} ${node.failureSummary ?? ''}`));
  assert.deepEqual(found, [], what);
}

// Nothing is wider than the window, so nobody has to scroll sideways.
export async function fits(page, what) {
  const wide = await page.evaluate(() => {
    const most = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= most) return [];
    return [`${document.documentElement.scrollWidth} of ${most}`, ...[...document.querySelectorAll('body *')].filter((each) => each.getBoundingClientRect().right > most + 1).map((each) => `${each.tagName} ${each.className}`)].slice(0, 8);
  });
  assert.deepEqual(wide, [], what);
}

export const go = (page, route) => page.evaluate((to) => { location.hash = to; }, route);
export const heading = (page, name) => page.getByRole('heading', { level: 1, name }).waitFor();

// An act of the console: open its dialog, say why, and do it. `fill(dialog)`: what else is to be filled in.
export async function act(page, button, verb, reason, fill) {
  await page.getByRole('button', { name: button, exact: true }).first().click();
  const dialog = page.getByRole('dialog');
  await fill?.(dialog);
  if (reason) await dialog.getByLabel('Reason').fill(reason);
  await dialog.getByRole('button', { name: verb }).click();
  await dialog.waitFor({ state: 'detached' });
}

// The acts with this reason, as the audit log has them.
export async function audited(broker, reason) {
  return (await broker.call('GET', 'audit?limit=1000')).acts.filter((each) => each.reason === reason).map((each) => each.act);
}
