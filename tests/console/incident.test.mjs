// An incident, from the page's link to all-clear: find the cause, read the letter, dry run, a canary that fails, the fault mended, the rest brought back,
// resolved. With SHUNT_PICTURES=DIRECTORY it leaves there the pictures that README.md and docs/console.md show (scripts/pictures).
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { act, Broker, go, heading, open } from './rig.mjs';

let broker;

// What has a time of its own in it differs from picture to picture; nothing is compared with them.
async function picture(page, name) {
  if (!process.env.SHUNT_PICTURES) return;
  await page.mouse.move(0, 0);
  await page.screenshot({ path: join(process.env.SHUNT_PICTURES, `${name}.png`) });
}

before(async () => { broker = await Broker.start(); });
after(() => broker?.remove());

test('from the alert to all-clear', { timeout: 300000 }, async () => {
  await broker.shunt(['topic', 'create', 'payments', '--max-attempts', '1', '--breaker', 'off', '--dlq-slo', '10ms']);
  const lines = Array.from({ length: 12 }, (_, at) => `{"payment": ${at + 1}, "amount": "12,50"}`);
  await broker.shunt(['publish', 'payments', '--lines'], { input: `${lines.join('\n')}\n` });
  const mended = join(broker.directory, 'mended');
  const worker = join(broker.directory, 'charge.sh');
  await writeFile(worker, `if [ -e ${mended} ]; then exit 0; fi; echo "AmountError: no number: '12,50'" >&2; exit 1\n`);
  await broker.shunt(['work', 'payments', '--drain', '--build', 'v1', '--', 'sh', worker]);
  const stop = broker.work('payments', `exec sh ${worker}`, '--build', 'v2');

  // The alert names the queue; whoever was woken begins at the overview.
  const window = await open(broker.at);
  const { page } = window;
  await page.getByRole('heading', { name: /Nobody has looked at 12 dead letters in 1 queue/ }).waitFor();
  await page.locator('.badge', { hasText: 'overdue' }).first().waitFor();
  await picture(page, 'overview');
  await page.getByRole('link', { name: 'payments' }).click();
  await page.getByRole('link', { name: /AmountError/ }).click();
  await heading(page, /AmountError/);
  await page.getByRole('cell', { name: 'v1' }).or(page.getByRole('rowheader', { name: 'v1' })).first().waitFor();

  await picture(page, 'cause');

  // The letter.
  await page.getByRole('link', { name: 'payments/1', exact: true }).click();
  await heading(page, 'payments/1');
  await page.getByText('"12,50"').or(page.getByText('12,50')).first().waitFor();
  await page.getByText(/died, because it had failed as often as it may/).waitFor();
  await picture(page, 'letter');
  await page.getByRole('link', { name: 'cause', exact: true }).click();
  await page.getByRole('button', { name: 'I have looked at it' }).click();
  await page.getByText('Looked at: this cause, with 12 letters.').waitFor();
  await page.getByRole('button', { name: 'I have looked at it' }).waitFor({ state: 'detached' });

  // A canary that fails: nothing else is moved.
  await act(page, 'Redrive…', /^Redrive 12 letters back to/, 'INC-1: is it still so?', async (dialog) => {
    await dialog.getByText('12 letters', { exact: true }).waitFor();
    await picture(page, 'redrive');
  });
  await heading(page, /^Job \d+: redrive/);
  await page.locator('.badge', { hasText: 'stopped' }).first().waitFor();
  await page.locator('.badge', { hasText: 'failed of the same cause' }).waitFor();
  await picture(page, 'job');
  assert.equal((await broker.call('GET', 'topics/payments/groups/default')).dead, 12);

  // Mended, and brought back; the cause is resolved.
  await writeFile(mended, '');
  await page.getByRole('link', { name: 'payments / default' }).click();
  await page.getByRole('link', { name: /AmountError/ }).click();
  await act(page, 'Redrive…', /^Redrive 12 letters back to/, 'INC-1: v2 reads commas', (dialog) => dialog.getByText('12 letters', { exact: true }).waitFor());
  await page.getByText(/12 of 12 moved/).or(page.getByText(/of 12 moved \(100 %\)/)).waitFor();
  await page.getByRole('listitem').filter({ hasText: /acked\s*12/ }).waitFor();
  const [{ cause }] = await broker.rows(['dlq', 'causes', 'payments']);
  await go(page, `#/q/payments/default/cause/${cause}`);
  await act(page, 'Decide…', 'Note it', 'INC-1: done', (dialog) => dialog.getByRole('radio', { name: /^resolved/ }).check());
  await page.locator('.badge', { hasText: 'resolved' }).first().waitFor();
  await go(page, '#/');
  await page.getByRole('heading', { name: 'All is well' }).waitFor();
  await go(page, '#/audit');
  for (const reason of ['INC-1: is it still so?', 'INC-1: v2 reads commas', 'INC-1: done']) await page.getByText(reason).first().waitFor();
  await stop();
  await window.close();
});
