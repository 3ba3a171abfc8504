// What operators did, the newest first, with the reasons that they gave.
import { useState } from 'preact/hooks';
import { html } from '../lib/html.js';
import { eachPage } from '../lib/api.js';
import { useLive } from '../lib/live.js';
import { plural } from '../lib/number.js';
import { link, queueLink } from '../lib/route.js';
import { now } from '../lib/time.js';
import { Count, Problem, Shown, Time, Waiting } from '../parts/basics.js';
import { Table } from '../parts/table.js';

const spans = [['1h', 3600000], ['24h', 86400000], ['7d', 7 * 86400000], ['all', 0]];
const rowsMost = 5000;
const rowsAtFirst = 200;
const acts = ['topic_created', 'topic_updated', 'topic_deleted', 'topic_purged', 'group_created', 'group_updated', 'group_deleted', 'group_paused', 'group_resumed', 'breaker_reset', 'dlq_redriven', 'dlq_purged', 'cause_updated', 'dlq_edited', 'rule_set', 'rule_deleted', 'user_set', 'user_deleted', 'role_set', 'role_deleted', 'token_created', 'token_revoked', 'job_cancelled', 'job_paused', 'job_resumed', 'clock_set', 'request_refused'];

export function Audit() {
  const [span, setSpan] = useState('24h');
  const [topic, setTopic] = useState('');
  const [typed, setTyped] = useState(''); // what is not finished yet outlives a new answer
  const [act, setAct] = useState('');
  const [most, setMost] = useState(rowsAtFirst);
  const live = useLive(async (signal) => {
    const rows = [];
    const ms = spans.find(([name]) => name === span)[1];
    let more = false;
    await eachPage('audit', { limit: 1000, since: ms ? Math.floor(now() - ms) : undefined, topic, act }, (page) => {
      rows.push(...page.acts);
      more = page.more;
      return rows.length < rowsMost;
    }, signal);
    return { rows: rows.reverse(), more };
  }, [span, topic, act], { every: 10000, when: ({ event }) => acts.includes(event) });
  const choose = (set) => (event) => set(event.target.value);
  const head = html`<h1 tabindex="-1">Audit</h1><div class="bar filters">
    <label>Of the last <select name="span" value=${span} onChange=${choose(setSpan)}>${spans.map(([name]) => html`<option key=${name} value=${name}>${name}</option>`)}</select></label>
    <label>Topic <input name="topic" value=${typed} onInput=${choose(setTyped)} onChange=${choose(setTopic)} placeholder="any" /></label>
    <label>Act <select name="act" value=${act} onChange=${choose(setAct)}><option value="">any</option>${acts.map((name) => html`<option key=${name} value=${name}>${name.replaceAll('_', ' ')}</option>`)}</select></label></div>`;
  if (!live.data) return html`${head}<${Waiting} live=${live} />`;
  const { rows, more } = live.data;
  return html`${head}<${Problem} problem=${live.problem} at=${live.at} />
    ${more && html`<p class="dim">These are the first ${plural(rows.length, 'act')} of that time: choose a shorter one.</p>`}
    <${Table} label="Acts" rows=${rows.slice(0, most)} keyOf=${(row) => row.id} kindOf=${(row) => (row.act === 'request_refused' ? 'row-warn' : '')} empty="Nobody did anything like that." columns=${[
      { head: 'Time', cell: (row) => html`<${Time} ms=${row.time} />` },
      { head: 'Act', main: true, cell: (row) => html`<strong>${row.act.replaceAll('_', ' ')}</strong>` },
      { head: 'Of', cell: (row) => html`${row.topic ? (row.group ? html`<a href=${queueLink(row.topic, row.group)}><${Shown} text=${row.topic} /> / <${Shown} text=${row.group} /></a>` : html`<${Shown} text=${row.topic} />`) : html`<span class="none">–</span>`}${row.job ? html` <a href=${link(['jobs', row.job])}>job ${row.job}</a>` : ''}` },
      { head: 'Count', number: true, cell: (row) => html`<${Count} of=${row.count} />` },
      { head: 'Reason', wide: true, cell: (row) => html`<${Shown} text=${row.reason} lines />` },
      { head: 'Who', cell: (row) => html`${row.user && html`<strong><${Shown} text=${row.user} /></strong> `}<${Shown} text=${row.client} /><div class="dim">${row.host && html`<${Shown} text=${row.host} /> `}<${Shown} text=${row.peer} /></div>` },
      { head: 'Asked', wide: true, cell: (row) => html`<code><${Shown} text=${row.asked} /></code>` },
    ]} />
    ${rows.length > most && html`<p><button type="button" onClick=${() => setMost(most * 4)}>Show more: ${plural(rows.length - most, 'act')} are left</button></p>`}`;
}
