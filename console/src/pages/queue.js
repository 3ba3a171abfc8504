// One queue: its numbers and what can be done with it, above its pages.
import { html } from '../lib/html.js';
import { get, path, post } from '../lib/api.js';
import { attention } from '../lib/attention.js';
import { ofQueue, useLive } from '../lib/live.js';
import { count, plural } from '../lib/number.js';
import { may } from '../lib/rights.js';
import { queueLink } from '../lib/route.js';
import { who } from '../lib/state.js';
import { duration, now } from '../lib/time.js';
import { Age, Badge, Count, Fact, Facts, Problem, Shown, Time, Waiting } from '../parts/basics.js';
import { Ask, Opens } from '../parts/dialog.js';
import { Causes } from './causes.js';
import { Holders } from './holders.js';
import { Keys } from './keys.js';
import { QueueLetters } from './letters.js';
import { Rules } from './rules.js';
import { Settings } from './settings.js';

const tabs = [
  ['', 'Causes', Causes],
  ['letters', 'Letters', QueueLetters],
  ['holders', 'In flight', Holders],
  ['keys', 'Keys', Keys],
  ['rules', 'Rules', Rules],
  ['settings', 'Settings', Settings],
];

export function Queue({ topic, group, tab = '', query }) {
  const live = useLive((signal) => get(path`topics/${topic}/groups/${group}`, {}, signal), [topic, group], { every: 3000, when: ofQueue(topic, group) });
  const Page = (tabs.find(([name]) => name === tab) ?? tabs[0])[2];
  return html`<nav class="crumbs" aria-label="Where you are"><a href="#/">Overview</a></nav>
    <${Head} topic=${topic} group=${group} live=${live} />
    <nav class="tabs" aria-label="Pages of this queue">${tabs.map(([name, title]) => html`<a key=${name} href=${queueLink(topic, group, ...(name ? [name] : []))} aria-current=${name === tab ? 'page' : undefined}>${title}</a>`)}</nav>
    <${Page} topic=${topic} group=${group} info=${live.data} refresh=${live.refresh} query=${query} />`;
}

function Head({ topic, group, live }) {
  const row = live.data;
  const title = html`<h1 tabindex="-1"><${Shown} text=${topic} /><span class="dim"> / <${Shown} text=${group} /></span></h1>`;
  if (!row) return html`${title}<${Waiting} live=${live} />`;
  const state = attention({ ...row, dlq_slo_ms: row.policy.dlq_slo_ms }, now());
  return html`<div class="page-head">${title}<${Badge} kind=${state.kind}>${state.word}<//>${row.paused && state.word !== 'paused' && html`<${Badge} kind="warn">paused<//>`}<${Acts} row=${row} refresh=${live.refresh} /></div>
    <${Problem} problem=${live.problem} at=${live.at} />
    <${Facts}>
      <${Fact} name="Nobody looked at"><${Count} of=${row.unattended} strong />${row.oldest_unattended && html` <span class="dim">oldest <${Age} ms=${row.oldest_unattended} /></span>`}<//>
      <${Fact} name="Dead"><${Count} of=${row.dead} /><//>
      <${Fact} name="Ready"><${Count} of=${row.ready} />${row.oldest_ready && html` <span class="dim">oldest <${Age} ms=${row.oldest_ready} /></span>`}<//>
      <${Fact} name="In flight"><${Count} of=${row.in_flight} /><//>
      <${Fact} name="Delayed"><${Count} of=${row.delayed} /><//>
      <${Fact} name="Consumers"><${Count} of=${row.consumers} /><//>
      <${Fact} name="To be looked at within">${row.policy.dlq_slo_ms ? duration(row.policy.dlq_slo_ms) : 'no limit'}${row.slo_breaches ? html` <span class="dim">late: ${count(row.slo_breaches)}</span>` : ''}<//>
      <${Fact} name="Breaker">${row.breaker}${row.breaker_until && row.breaker !== 'closed' ? html` <span class="dim">asks again <${Age} ms=${row.breaker_until} /></span>` : ''}${row.breaker_trips ? html` <span class="dim">opened ${plural(row.breaker_trips, 'time')}${row.breaker_since && row.breaker !== 'closed' ? html`, since <${Time} ms=${row.breaker_since} />` : ''}</span>` : ''}<//>
      ${row.blocked_keys ? html`<${Fact} name="Blocked keys"><${Count} of=${row.blocked_keys} strong /> <span class="dim">${count(row.blocked_messages)} messages wait behind them</span><//>` : ''}
    <//>`;
}

function Acts({ row, refresh }) {
  const { topic, group } = row;
  if (!may(who.use(), 'admin', topic)) return null;
  const where = path`topics/${topic}/groups/${group}`;
  const name = `${topic} / ${group}`;
  const done = async (answer, text) => {
    await answer;
    refresh();
    return text;
  };
  const waiting = row.ready + row.delayed;
  return html`<div class="acts">
    ${row.paused
      ? html`<${Opens} dialog=${(close) => html`<${Ask} title="Resume ${name}" verb="Resume" onClose=${close} act=${(reason) => done(post(`${where}/resume`, { reason }), `${name} hands out messages again.`)}><p>Its ${plural(row.ready, 'ready message')} will be handed out to ${plural(row.consumers, 'consumer')}.</p><//>`}>Resume…<//>`
      : html`<${Opens} dialog=${(close) => html`<${Ask} title="Pause ${name}" verb="Pause" onClose=${close} act=${(reason) => done(post(`${where}/pause`, { reason }), `${name} is paused.`)}><p>Nothing is handed out until somebody resumes it. ${plural(row.in_flight, 'message')} in flight go on, and publishing goes on.</p><//>`}>Pause…<//>`}
    ${row.breaker !== 'closed' && row.breaker !== 'off' && html`<${Opens} dialog=${(close) => html`<${Ask} title="Close the breaker of ${name}" verb="Close the breaker" onClose=${close} act=${(reason) => done(post(`${where}/reset-breaker`, { reason }), `The breaker of ${name} is closed.`)}><p>Do this if you know that what the consumers need is back. It opens again if most messages fail as before.</p><//>`}>Close breaker…<//>`}
    ${waiting > 0 && html`<${Opens} className="danger-plain" dialog=${(close) => html`<${Ask} title="Purge what waits in ${name}" verb=${`Drop ${plural(waiting, 'message')}`} danger word=${topic} onClose=${close}
      act=${(reason) => done(post(`${where}/purge`, { reason }), `Messages of ${name} are being dropped.`)}><p>${count(row.ready)} ready and ${plural(row.delayed, 'delayed message')} of this group are dropped for good. Dead letters and what is in flight stay, and so do the messages of other groups.</p><//>`}>Purge…<//>`}
  </div>`;
}
