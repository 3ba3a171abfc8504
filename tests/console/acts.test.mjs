// Each act: it is asked for with what it touches, it is done, and the audit log has its reason.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { act, audited, Broker, go, open } from './rig.mjs';

let broker;

before(async () => { broker = await Broker.start(); });
after(() => broker?.remove());

const fault = (message) => ({ body: `{"say": "${message}"}`, type: 'ValueError', message, stack: `ValueError: ${message}\n  at charge (charge.js:4)` });

// A topic of its own, with letters of these faults.
async function queue(name, ...messages) {
  await broker.shunt(['topic', 'create', name, '--max-attempts', '3', '--backoff', '1ms..1ms']);
  await broker.deaths(name, messages.map(fault));
}

test('a group is paused and resumed', async () => {
  await queue('pausing');
  const window = await open(broker.at, '#/q/pausing/default');
  await act(window.page, 'Pause…', 'Pause', 'R-pause');
  await window.page.getByRole('button', { name: 'Resume…' }).waitFor();
  assert.equal((await broker.call('GET', 'topics/pausing/groups/default')).paused, true);
  await act(window.page, 'Resume…', 'Resume', 'R-resume');
  await window.page.getByRole('button', { name: 'Pause…' }).waitFor();
  assert.deepEqual([await audited(broker, 'R-pause'), await audited(broker, 'R-resume')], [['group_paused'], ['group_resumed']]);
  await window.close();
});

test('what waits is purged only when its topic was typed', async () => {
  await queue('waiting');
  await broker.shunt(['publish', 'waiting', 'one']);
  const window = await open(broker.at, '#/q/waiting/default');
  const { page } = window;
  await page.getByRole('button', { name: 'Purge…' }).click();
  const drop = page.getByRole('button', { name: 'Drop 1 message' });
  await page.getByLabel('Reason').fill('R-purge');
  assert.equal(await drop.isDisabled(), true);
  await page.getByLabel(/^Type waiting/).fill('waitin');
  assert.equal(await drop.isDisabled(), true);
  await page.getByLabel(/^Type waiting/).fill('waiting');
  await drop.click();
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  await page.getByRole('button', { name: 'Purge…' }).waitFor({ state: 'detached' });
  assert.equal((await broker.call('GET', 'topics/waiting/groups/default')).ready, 0);
  assert.deepEqual(await audited(broker, 'R-purge'), ['topic_purged']);
  await window.close();
});

test('without a reason nothing is done', async () => {
  await queue('why');
  const window = await open(broker.at, '#/q/why/default');
  await window.page.getByRole('button', { name: 'Pause…' }).click();
  const pause = window.page.getByRole('dialog').getByRole('button', { name: 'Pause' });
  assert.equal(await pause.isDisabled(), true);
  await window.page.getByLabel('Reason').fill('   ');
  assert.equal(await pause.isDisabled(), true);
  await window.close();
});

test('somebody looks at a letter, then at its cause, and decides', async () => {
  await queue('deciding', 'no price for article 1', 'no price for article 2');
  const window = await open(broker.at, '#/q/deciding/default/letter/1');
  const { page } = window;
  await page.getByRole('button', { name: 'I have looked at it' }).click();
  await page.getByRole('button', { name: 'I have looked at it' }).waitFor({ state: 'detached' });
  assert.equal((await broker.call('GET', 'topics/deciding/groups/default')).unattended, 1);
  await page.getByRole('link', { name: 'cause', exact: true }).click();
  await page.getByRole('button', { name: 'I have looked at it' }).click();
  await page.getByRole('button', { name: 'I have looked at it' }).waitFor({ state: 'detached' });
  assert.equal((await broker.call('GET', 'topics/deciding/groups/default')).unattended, 0);
  await act(page, 'Decide…', 'Note it', 'R-decide', async (dialog) => {
    await dialog.getByRole('radio', { name: /^muted/ }).check();
    await dialog.getByLabel('Owner').fill('ann');
    await dialog.getByLabel('Note').fill('the supplier mends it on Monday');
  });
  await page.getByText('the supplier mends it on Monday').waitFor();
  const [cause] = (await broker.call('GET', 'topics/deciding/groups/default/dlq/causes')).causes;
  assert.deepEqual([cause.state, cause.owner, cause.note], ['muted', 'ann', 'the supplier mends it on Monday']);
  assert.deepEqual(await audited(broker, 'R-decide'), ['cause_updated']);
  await window.close();
});

test('a letter is edited beside what was published, restored, and edited by two', async () => {
  await queue('editing', 'first');
  const window = await open(broker.at, '#/q/editing/default/letter/1', { allowed: /409/ });
  const { page } = window;
  await act(page, 'Edit…', 'Keep this body', 'R-edit', (dialog) => dialog.getByLabel('As it will go back').fill('{"say": "mended"}'));
  await page.getByRole('heading', { name: 'As it was published' }).waitFor();
  assert.equal((await broker.call('GET', 'topics/editing/groups/default/dlq/letters/1')).body, '{"say": "mended"}');
  await page.getByRole('button', { name: 'Edit…' }).click();
  await page.getByRole('dialog').getByLabel('Reason').fill('R-second');
  await broker.shunt(['dlq', 'edit', 'editing', 'editing/1', '--body-file', '-'], { input: '{"say": "somebody else"}' });
  await page.getByRole('dialog').getByLabel('As it will go back').fill('{"say": "mine"}');
  await page.getByRole('dialog').getByRole('button', { name: 'Keep this body' }).click();
  await page.getByRole('dialog').getByRole('alert').waitFor();
  assert.equal((await broker.call('GET', 'topics/editing/groups/default/dlq/letters/1')).body, '{"say": "somebody else"}');
  await page.keyboard.press('Escape');
  await page.getByText('somebody else').first().waitFor();
  await act(page, 'Edit…', 'Restore', 'R-restore', (dialog) => dialog.getByRole('checkbox').check());
  await page.getByRole('heading', { name: 'As it was published' }).waitFor({ state: 'detached' });
  assert.equal((await broker.call('GET', 'topics/editing/groups/default/dlq/letters/1')).body, '{"say": "first"}');
  assert.deepEqual([await audited(broker, 'R-edit'), await audited(broker, 'R-restore')], [['dlq_edited'], ['dlq_edited']]);
  await window.close();
});

test('letters are chosen by a filter, counted, and redriven with rate, stop, spread and a bound', async () => {
  await queue('redriving', 'no price for article 1', 'no price for article 2', 'something else');
  await broker.shunt(['group', 'pause', 'redriving', 'default']);
  const window = await open(broker.at, '#/q/redriving/default/letters');
  const { page } = window;
  await page.getByLabel('Filter').fill('match="no price"');
  await page.getByRole('button', { name: 'Choose', exact: true }).click();
  await page.getByText('2 letters', { exact: true }).first().waitFor();
  await page.getByRole('button', { name: 'Redrive…' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByText('of 1 cause').waitFor();
  for (const [label, text] of [['At most', '1'], ['Stop at failures of', '25'], ['Rate', '500'], ['Spread over', '1s'], ['Reason', 'R-redrive']]) await dialog.getByLabel(label).fill(text);
  await dialog.getByText('As commands').click();
  await dialog.getByText("shunt dlq redrive redriving --match 'no price' --count 1 --canary 0 --max-fail 25% --rate 500 --spread 1s").waitFor();
  await dialog.getByRole('button', { name: 'Redrive 1 letter back to redriving / default' }).click();
  await page.getByRole('heading', { level: 1, name: /^Job \d+: redrive/ }).waitFor();
  const job = await broker.call('GET', `jobs/${new URL(page.url()).hash.split('/').pop()}`);
  assert.deepEqual([job.max_fail, job.rate, job.spread_ms, job.filter.match], [250, 500, 1000, 'no price']);
  await page.getByText('1 of 1 moved').or(page.getByText(/of 1 moved \(100 %\)/)).waitFor();
  assert.deepEqual(await audited(broker, 'R-redrive'), ['dlq_redriven']);
  await window.close();
});

test('letters that are picked one by one go to another topic', async () => {
  await queue('moving', 'a', 'b', 'c');
  await broker.shunt(['topic', 'create', 'elsewhere']);
  const window = await open(broker.at, '#/q/moving/default/letters');
  const { page } = window;
  await page.getByLabel('Choose moving/1').check();
  await page.getByLabel('Choose moving/3').check();
  await act(page, 'Redrive 2 letters…', 'Redrive 2 letters to elsewhere', 'R-move', async (dialog) => {
    await dialog.getByText('2 letters', { exact: true }).waitFor();
    await dialog.getByLabel('Where to').selectOption('elsewhere');
  });
  await page.getByText('moved to another topic').waitFor();
  await page.getByText(/of 2 moved \(100 %\)/).waitFor();
  await go(page, '#/m/moving/1');
  await page.getByRole('link', { name: /^Go to elsewhere\// }).click();
  await page.getByRole('heading', { level: 1, name: /^elsewhere\// }).waitFor();
  await window.close();
});

test('a filter that is wrong is told, and nothing can be done with it', async () => {
  await queue('wrong', 'a');
  const window = await open(broker.at, '#/q/wrong/default/letters');
  const { page } = window;
  await page.getByRole('button', { name: 'Redrive…' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Reason').fill('x');
  await dialog.getByText('1 letter', { exact: true }).waitFor();
  await dialog.getByLabel('Filter').fill('colour=red');
  await dialog.getByText(/there is no .colour/).waitFor();
  assert.equal(await dialog.getByRole('button', { name: /^Redrive/ }).isDisabled(), true);
  for (const [label, text] of [['Canary', '-1'], ['Rate', 'fast'], ['Spread over', '2d'], ['Stop at failures of', '101'], ['At most', '0']]) {
    const before = await dialog.getByLabel(label).inputValue();
    await dialog.getByLabel('Filter').fill('');
    await dialog.getByLabel(label).fill(text);
    await dialog.getByRole('alert').filter({ hasText: label }).waitFor();
    await dialog.getByLabel(label).fill(before);
  }
  await window.close();
});

test('letters are purged when their number was seen and their topic typed', async () => {
  await queue('purging', 'keep', 'drop 1', 'drop 2');
  const window = await open(broker.at, `#/q/purging/default/letters?filter=${encodeURIComponent('match=drop')}`);
  const { page } = window;
  await page.getByText('2 letters', { exact: true }).first().waitFor();
  await act(page, 'Purge…', 'Drop 2 letters for good', 'R-drop', (dialog) => dialog.getByLabel(/^Type purging/).fill('purging'));
  await page.getByRole('heading', { level: 1, name: /purge of dead letters/ }).waitFor();
  await page.getByText(/of 2 moved \(100 %\)/).waitFor();
  assert.equal((await broker.call('GET', 'topics/purging/groups/default')).dead, 1);
  assert.deepEqual(await audited(broker, 'R-drop'), ['dlq_purged']);
  await window.close();
});

test('a job is paused, resumed and cancelled', async () => {
  await queue('working', 'a', 'b', 'c', 'd');
  await broker.shunt(['group', 'pause', 'working', 'default']);
  const { job } = await broker.call('POST', 'topics/working/groups/default/dlq/redrive', { which: { matching: 4 }, options: { canary: 1 } });
  const window = await open(broker.at, `#/jobs/${job}`);
  const { page } = window;
  await act(page, 'Pause…', 'Pause', 'R-wait');
  await page.getByRole('button', { name: 'Resume…' }).waitFor();
  await act(page, 'Resume…', 'Resume', 'R-on');
  await page.getByRole('button', { name: 'Pause…' }).waitFor();
  await act(page, 'Cancel…', 'Cancel the job', 'R-cancel');
  await page.getByText('cancelled').first().waitFor();
  assert.deepEqual([await audited(broker, 'R-wait'), await audited(broker, 'R-on'), await audited(broker, 'R-cancel')], [['job_paused'], ['job_resumed'], ['job_cancelled']]);
  await go(page, '#/jobs');
  await page.getByRole('row').filter({ hasText: 'cancelled' }).waitFor();
  await window.close();
});

test('a rule is turned off, on and deleted', async () => {
  await queue('ruled');
  await broker.shunt(['rule', 'set', 'ruled', '--action', 'mute', '--type', 'exit 75']);
  const window = await open(broker.at, '#/q/ruled/default/rules');
  const { page } = window;
  await act(page, 'Turn off… rule 10', 'Turn off', 'R-off');
  await act(page, 'Turn on… rule 10', 'Turn on', 'R-rule-on');
  await act(page, 'Delete… rule 10', 'Delete the rule', 'R-delete', (dialog) => dialog.getByLabel(/^Type ruled/).fill('ruled'));
  await page.getByText('There is no rule').waitFor();
  assert.deepEqual([await audited(broker, 'R-off'), await audited(broker, 'R-rule-on'), await audited(broker, 'R-delete')], [['rule_set'], ['rule_set'], ['rule_deleted']]);
  await window.close();
});

test('settings of a topic and of a group are changed within their bounds, and restored', async () => {
  await queue('setting');
  const window = await open(broker.at, '#/settings/setting');
  const { page } = window;
  await act(page, 'Change… lease', 'Change it', 'R-lease', async (dialog) => {
    await dialog.getByLabel(/^New value/).fill('9ms');
    await dialog.getByText(/^From 10ms to/).waitFor();
    assert.equal(await dialog.getByRole('button', { name: 'Change it' }).isDisabled(), true);
    await dialog.getByLabel(/^New value/).fill('1m30s');
  });
  await page.getByRole('row').filter({ hasText: 'how long a consumer may hold' }).getByText('1m30s').waitFor();
  await go(page, '#/q/setting/default/settings');
  await act(page, 'Change… order', 'Change it', 'R-order', (dialog) => dialog.getByLabel(/^New value/).selectOption('key'));
  await page.getByText('this group').first().waitFor();
  await act(page, 'Change… order', 'Change it', 'R-back', (dialog) => dialog.getByRole('checkbox').check());
  await page.getByText('this group', { exact: true }).waitFor({ state: 'detached' });
  const info = await broker.call('GET', 'topics/setting');
  assert.deepEqual([info.policy.lease_ms, info.groups[0].own], [90000, []]);
  assert.deepEqual([await audited(broker, 'R-lease'), await audited(broker, 'R-order'), await audited(broker, 'R-back')], [['topic_updated'], ['group_updated'], ['group_updated']]);
  await window.close();
});

test('a breaker is closed by hand', async () => {
  await broker.shunt(['topic', 'create', 'broken', '--breaker-window', '5', '--breaker-threshold', '50', '--breaker-pause-min', '10m', '--breaker-pause-max', '10m', '--backoff', '1ms..1ms']);
  for (let at = 0; at < 5; at++) await broker.shunt(['publish', 'broken', 'x']);
  for (let at = 0; at < 5; at++) {
    if ((await broker.call('GET', 'topics/broken/groups/default')).breaker === 'open') break;
    const { messages } = await broker.call('POST', 'topics/broken/groups/default/lease', { wait_ms: 30000 });
    await broker.call('POST', 'topics/broken/groups/default/nack', { token: messages[0].token, error_type: 'Down', delay_ms: 60000 });
  }
  const window = await open(broker.at, '#/');
  const { page } = window;
  await page.getByRole('row').filter({ hasText: 'broken' }).getByText('breaker open').waitFor();
  await go(page, '#/q/broken/default');
  await act(page, 'Close breaker…', 'Close the breaker', 'R-breaker');
  await page.getByRole('button', { name: 'Close breaker…' }).waitFor({ state: 'detached' });
  assert.deepEqual(await audited(broker, 'R-breaker'), ['breaker_reset']);
  await window.close();
});

test('the audit page has it all, with reasons', async () => {
  await queue('told');
  await broker.shunt(['group', 'pause', 'told', 'default', '--because', 'R-told: <b>&amp;']);
  const window = await open(broker.at, '#/audit');
  const { page } = window;
  await page.getByText('R-told: <b>&amp;').waitFor();
  await page.locator('select[name=act]').selectOption('topic_created');
  await page.getByText('R-told').waitFor({ state: 'detached' });
  const topic = page.locator('input[name=topic]');
  await topic.fill('told');
  await broker.shunt(['topic', 'create', 'later']);
  const created = page.getByRole('row').filter({ hasText: 'topic created' });
  await created.filter({ hasText: 'later' }).waitFor();
  assert.equal(await topic.inputValue(), 'told', 'a new answer leaves what is typed');
  await topic.press('Enter');
  await created.filter({ hasText: 'later' }).waitFor({ state: 'detached' });
  await created.filter({ hasText: 'told' }).waitFor();
  assert.equal(await created.count(), 1);
  await window.close();
});
