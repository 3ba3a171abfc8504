// One row for each topic and group, what needs attention first.
import { useRef, useState } from 'preact/hooks';
import { html } from '../lib/html.js';
import { get } from '../lib/api.js';
import { byAttention, verdict } from '../lib/attention.js';
import { useLive } from '../lib/live.js';
import { count, plural, rate } from '../lib/number.js';
import { groupRows, lastHour, rates } from '../lib/overview.js';
import { queueLink } from '../lib/route.js';
import { server } from '../lib/state.js';
import { age, duration, now } from '../lib/time.js';
import { Age, Badge, Count, Problem, Shown, Waiting } from '../parts/basics.js';
import { Spark } from '../parts/spark.js';
import { Table } from '../parts/table.js';

const rowsAtFirst = 200;

const matters = ({ event }) => /^(dead_letters|topic_|group_|breaker_|dlq_|cause_|job_)/.test(event);

export function Overview() {
  const last = useRef(null);
  const live = useLive(async (signal) => {
    const [groups, stats] = await Promise.all([groupRows(signal), get('stats', {}, signal)]);
    server.set(stats);
    const speeds = last.current && groups.at > last.current.at ? rates(last.current, groups) : null;
    last.current = groups;
    return { ...groups, stats, speeds };
  }, [], { every: 3000, when: matters });
  const hour = useLive(lastHour, [], { every: 60000 });
  const [search, setSearch] = useState('');
  const [only, setOnly] = useState(false);
  const [most, setMost] = useState(rowsAtFirst);
  if (!live.data) return html`<h1>Overview</h1><${Waiting} live=${live} />`;
  const { rows, stats, speeds } = live.data;
  const sorted = byAttention(rows, now());
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const shown = sorted.filter((row) => (!only || row.attention.rank < 7) && words.every((word) => `${row.topic}/${row.group}`.toLowerCase().includes(word)));
  const total = speeds && [...speeds.values()].reduce((sum, each) => ({ published: sum.published + (each?.published ?? 0), acked: sum.acked + (each?.acked ?? 0) }), { published: 0, acked: 0 });
  return html`<h1 class="hidden-text">Overview</h1>
    <${Verdict} rows=${rows} stats=${stats} />
    <${Problem} problem=${live.problem} at=${live.at} />
    <dl class="tiles">
      <${Tile} name="Nobody looked at" value=${count(stats.unattended)} kind=${stats.unattended ? 'bad' : ''} />
      <${Tile} name="Dead" value=${count(stats.dead)} />
      <${Tile} name="Ready" value=${count(stats.ready)} />
      <${Tile} name="In flight" value=${count(stats.in_flight)} />
      <${Tile} name="Delayed" value=${count(stats.delayed)} />
      <${Tile} name="Done/s" value=${total ? rate(total.acked) : '…'} />
    </dl>
    <div class="bar filters">
      <label>Find <input type="search" name="find" value=${search} placeholder="topic or group" onInput=${(event) => setSearch(event.target.value)} /></label>
      <label class="check"><input type="checkbox" checked=${only} onChange=${(event) => setOnly(event.target.checked)} /> only what needs somebody</label>
      <span class="dim" role="status">${shown.length === rows.length ? plural(rows.length, 'queue') : `${count(shown.length)} of ${plural(rows.length, 'queue')}`}</span>
    </div>
    <${Table} label="Topics and groups" rows=${shown.slice(0, most)} keyOf=${(row) => `${row.topic}/${row.group}`} kindOf=${(row) => `row-${row.attention.kind}`}
      columns=${columns(hour.data, speeds)} empty=${rows.length ? 'No queue is like that.' : 'There is no topic yet. A program that publishes, or `shunt topic create`, makes the first one.'} />
    ${shown.length > most && html`<p><button type="button" onClick=${() => setMost(most * 4)}>Show more: ${plural(shown.length - most, 'queue')} are left</button></p>`}`;
}

const Tile = ({ name, value, kind = '' }) => html`<div class=${`tile ${kind}`}><dt>${name}</dt><dd class="number">${value}</dd></div>`;

function columns(hour, speeds) {
  const trend = (row) => {
    const ages = hour?.get(`${row.topic}/${row.group}`)?.age_ms;
    return html`<${Spark} values=${ages?.map((ms) => ms ?? 0)} label=${ages ? `for how long nobody had looked, in the last hour: at most ${duration(Math.max(...ages))}, now ${duration(ages.at(-1) ?? 0)}` : ''} />`;
  };
  const speed = (name) => (row) => {
    const of = speeds?.get(`${row.topic}/${row.group}`)?.[name];
    return html`<span class=${`number${of ? '' : ' zero'}`}>${of === undefined ? '…' : rate(of)}</span>`;
  };
  return [
    { head: 'Queue', main: true, cell: (row) => html`<a class="strong" href=${queueLink(row.topic, row.group)}><${Shown} text=${row.topic} />${row.group !== 'default' && html`<span class="dim"> / <${Shown} text=${row.group} /></span>`}</a>` },
    { head: 'State', cell: (row) => html`<${Badge} kind=${row.attention.kind}>${row.attention.word}<//>${row.paused && row.attention.word !== 'paused' && html` <${Badge} kind="warn">paused<//>`}` },
    { head: 'Nobody looked for', number: true, hint: 'how long the oldest dead letter that nobody has looked at has been dead', cell: (row) => html`<span class=${row.attention.rank === 0 ? 'strong bad-text' : ''}><${Age} ms=${row.oldest_unattended} /></span>` },
    { head: 'In the last hour', hint: 'for how long nobody had looked at the oldest, minute by minute', cell: trend },
    { head: 'Dead', number: true, cell: (row) => html`<${Count} of=${row.dead} strong=${row.unattended} />` },
    { head: 'Ready', number: true, cell: (row) => html`<${Count} of=${row.ready} />` },
    { head: 'In flight', number: true, cell: (row) => html`<${Count} of=${row.in_flight} />` },
    { head: 'Delayed', number: true, cell: (row) => html`<${Count} of=${row.delayed} />` },
    { head: 'In/s', number: true, hint: 'messages published in a second', cell: speed('published') },
    { head: 'Done/s', number: true, hint: 'messages acknowledged in a second', cell: speed('acked') },
    { head: 'Consumers', number: true, cell: (row) => html`<${Count} of=${row.consumers} />` },
    { head: 'Blocked keys', number: true, hint: 'keys that dead letters hold', cell: (row) => html`<${Count} of=${row.blocked_keys} strong />` },
  ];
}

// What somebody who was woken has to know first.
function Verdict({ rows, stats }) {
  const found = verdict(rows, stats, now());
  const [title, text] = sentences(found, stats);
  return html`<section class=${`verdict ${found.kind}`} aria-label="How it stands"><h2>${title}</h2><p>${text}</p></section>`;
}

function sentences(found, stats) {
  switch (found.what) {
    case 'full':
      return ['The store is full: publishing is refused', `Let consumers catch up, purge, or raise the limit (${stats.store_limit === 'disk' ? 'the disk' : 'map-size-max'}).`];
    case 'conservation':
      return ['The numbers of messages do not add up', 'This is a bug in shunt. Keep the data directory and report it.'];
    case 'unattended':
      return [
        `Nobody has looked at ${plural(found.unattended, 'dead letter')} in ${plural(found.queues, 'queue')}`,
        `The oldest died ${age(now() - found.oldest)} ago${found.overdue ? `; ${plural(found.overdue, 'queue is', 'queues are')} overdue` : ''}${found.breakers ? `; ${plural(found.breakers, 'breaker is', 'breakers are')} not closed` : ''}. Begin with the first row.`,
      ];
    case 'breakers':
      return [`${plural(found.breakers, 'breaker is', 'breakers are')} not closed`, 'Most of the latest messages failed: see to what the consumers need, not to the messages.'];
    case 'others':
      return ['Nothing dead waits for anybody', `${plural(found.others, 'queue waits', 'queues wait')}: paused, without a consumer, or with blocked keys.`];
    default:
      return ['All is well', stats.dead ? `Somebody has looked at all ${plural(stats.dead, 'dead letter')}; no breaker is open, nothing is paused.` : 'There are no dead letters, no breaker is open, nothing is paused.'];
  }
}
