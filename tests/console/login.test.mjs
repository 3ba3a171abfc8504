// Who one is: asked where the server wants to know, by password or token, in no cookie; and what one may not do is not offered.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { accessible, Broker, go, open, refusals } from './rig.mjs';

let broker;
let token;

before(async () => {
  broker = await Broker.start('auth: on\nlisten-unix: @DIRECTORY@/socket\n');
  const local = { environment: { SHUNT_URL: `shunt+unix://${broker.directory}/socket` } };
  await broker.shunt(['user', 'add', 'root', '--role', 'administrator', '--password-file', '-'], { ...local, input: 'correct horse battery\n' });
  await broker.shunt(['topic', 'create', 'orders'], local);
  await broker.shunt(['user', 'add', 'kim', '--grant', '*:look,dlq-look'], local);
  token = (await broker.shunt(['token', 'create', 'kim'], local)).trim().split('\n').pop();
});

after(() => broker?.remove());

test('a wrong password is told, a right one opens the page, and signing out closes it', async () => {
  const window = await open(broker.at, '#/q/orders/default', { allowed: refusals });
  const { page } = window;
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
  await accessible(page, 'sign in');
  await page.getByLabel('User').fill('root');
  await page.getByLabel('Password', { exact: true }).fill('wrong');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('alert').waitFor();
  await page.getByLabel('Password', { exact: true }).fill('correct horse battery');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('heading', { level: 1, name: 'orders / default' }).waitFor();
  await page.getByRole('button', { name: 'Pause…' }).waitFor();
  await page.locator('.liveness.live').waitFor();
  assert.deepEqual(await page.context().cookies(), []);
  await page.reload();
  await page.getByRole('heading', { level: 1, name: 'orders / default' }).waitFor();
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
  assert.equal(await page.evaluate(() => sessionStorage.length + document.cookie.length), 0);
  await window.close();
});

test('who may only look is offered nothing else, and is not told of what it may not see', async () => {
  const window = await open(broker.at, '#/q/orders/default', { allowed: refusals });
  const { page } = window;
  await page.getByRole('button', { name: 'Token' }).click();
  await page.getByLabel('Token', { exact: true }).fill(token);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('heading', { level: 1, name: 'orders / default' }).waitFor();
  await page.getByText('kim', { exact: true }).waitFor();
  await page.getByText('Nothing has died here').waitFor();
  for (const name of ['Pause…', 'Purge…', 'Redrive…']) assert.equal(await page.getByRole('button', { name }).count(), 0, name);
  await go(page, '#/q/orders/default/settings');
  await page.getByText('failed attempts before a message is dead-lettered').waitFor();
  assert.equal(await page.getByRole('button', { name: /^Change/ }).count(), 0);
  await go(page, '#/consumers');
  await page.getByRole('alert').filter({ hasText: 'Not permitted.' }).waitFor();
  await window.close();
});

test('a user who is disabled is signed out', async () => {
  const window = await open(broker.at, '#/', { allowed: refusals });
  const { page } = window;
  await page.getByRole('button', { name: 'Token' }).click();
  await page.getByLabel('Token', { exact: true }).fill(token);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('link', { name: 'orders' }).waitFor();
  await broker.shunt(['user', 'set', 'kim', '--disable'], { environment: { SHUNT_URL: `shunt+unix://${broker.directory}/socket` } });
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
  await window.close();
});
