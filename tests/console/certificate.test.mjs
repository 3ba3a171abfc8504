// By HTTPS: a certificate that the browser shows says who one is, and the page needs no login; who shows one of nobody signs in.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Broker, open, refusals } from './rig.mjs';

let directory;
let broker;
let token;
const file = (name) => join(directory, name);

// A certificate of the authority, with this name; `authority` signs itself.
async function issue(name, names) {
  const fresh = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-noenc', '-subj', `/CN=${name}`, '-keyout', file(`${name}.key`)];
  const openssl = (...words) => execFileSync('openssl', words, { stdio: 'pipe' });
  if (!names) return openssl('req', '-x509', ...fresh, '-days', '1', '-out', file(`${name}.pem`));
  await writeFile(file(`${name}.ext`), `subjectAltName=${names}\nbasicConstraints=critical,CA:FALSE\n`);
  openssl('req', '-new', ...fresh, '-out', file(`${name}.request`));
  return openssl('x509', '-req', '-in', file(`${name}.request`), '-CA', file('authority.pem'), '-CAkey', file('authority.key'), '-CAcreateserial', '-days', '1', '-extfile', file(`${name}.ext`), '-out', file(`${name}.pem`));
}

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'certificate-'));
  await issue('authority');
  await issue('server', 'DNS:localhost,IP:127.0.0.1');
  await issue('kim', 'email:kim@example.org');
  await issue('stranger', 'email:stranger@example.org');
  broker = await Broker.start(`auth: on\nlisten-unix: @DIRECTORY@/socket\ntls-cert: ${file('server.pem')}\ntls-key: ${file('server.key')}\ntls-client-ca: ${file('authority.pem')}\ntls-client-auth: require\n`);
  const local = { environment: { SHUNT_URL: `shunt+unix://${broker.directory}/socket` } };
  await broker.shunt(['topic', 'create', 'orders'], local);
  await broker.shunt(['user', 'add', 'kim', '--role', 'administrator', '--certificate', 'email:kim@example.org'], local);
  await broker.shunt(['user', 'add', 'ann', '--grant', '*:look,dlq-look'], local);
  token = (await broker.shunt(['token', 'create', 'ann'], local)).trim().split('\n').pop();
});

after(async () => {
  await broker?.remove();
  await rm(directory, { recursive: true, force: true });
});

// A window of a browser that has this certificate for the server.
const openAs = (name, route, more) => open(broker.at, route, {
  protocol: 'https',
  context: { ignoreHTTPSErrors: true, clientCertificates: [{ origin: `https://${broker.at}`, certPath: file(`${name}.pem`), keyPath: file(`${name}.key`) }] },
  ...more,
});

test('one is who the certificate says, without a login, and acts as that', { timeout: 120000 }, async () => {
  const window = await openAs('kim', '#/q/orders/default');
  const { page } = window;
  await page.getByRole('heading', { level: 1, name: 'orders / default' }).waitFor();
  await page.getByText('kim', { exact: true }).waitFor();
  await page.locator('.liveness.live').waitFor();
  assert.equal(await page.getByRole('button', { name: 'Sign out' }).count(), 0, 'a certificate cannot be signed out');
  await page.getByRole('button', { name: 'Pause…' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Reason').fill('INC-7');
  await dialog.getByRole('button', { name: /^Pause/ }).click();
  await dialog.waitFor({ state: 'detached' });
  await window.close();
  const acts = await broker.shunt(['audit', '-o', 'jsonl'], { environment: { SHUNT_URL: `shunt+unix://${broker.directory}/socket` } });
  assert.deepEqual(acts.split('\n').filter(Boolean).map((line) => JSON.parse(line)).filter((each) => each.reason === 'INC-7').map((each) => [each.act, each.user]), [['group_paused', 'kim']]);
});

test('with a certificate of nobody one signs in, and is that user', { timeout: 120000 }, async () => {
  const window = await openAs('stranger', '#/q/orders/default', { allowed: refusals });
  const { page } = window;
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
  await page.getByRole('button', { name: 'Token' }).click();
  await page.getByLabel('Token', { exact: true }).fill(token);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('heading', { level: 1, name: 'orders / default' }).waitFor();
  await page.getByText('ann', { exact: true }).waitFor();
  assert.equal(await page.getByRole('button', { name: 'Pause…' }).count(), 0);
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
  await window.close();
});

test('without a certificate nothing is served where one is required', { timeout: 120000 }, async () => {
  await assert.rejects(open(broker.at, '', { protocol: 'https', context: { ignoreHTTPSErrors: true } }), /ERR_|net::/);
});
