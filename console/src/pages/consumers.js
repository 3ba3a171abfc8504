// Who is connected, what each holds and since when.
import { html } from '../lib/html.js';
import { eachPage } from '../lib/api.js';
import { useLive } from '../lib/live.js';
import { count, plural } from '../lib/number.js';
import { queueLink } from '../lib/route.js';
import { useState } from 'preact/hooks';
import { Badge, Count, Problem, Shown, Time, Waiting } from '../parts/basics.js';
import { Table } from '../parts/table.js';

const rowsMost = 2000;
const states = { open: ['good', 'open'], queued: ['info', 'waits its turn'], blocked: ['warn', 'does not read'], leaving: ['mute', 'leaving'], closing: ['mute', 'closing'] };

export function Consumers() {
  const [everybody, setEverybody] = useState(false);
  const live = useLive(async (signal) => {
    const clients = [];
    let more = false;
    await eachPage('clients', { limit: 1000 }, (page) => {
      clients.push(...page.clients);
      more = page.more;
      return clients.length < rowsMost;
    }, signal);
    return { clients, more };
  }, [], { every: 3000 });
  const head = html`<h1 tabindex="-1">Consumers</h1>`;
  if (!live.data) return html`${head}<${Waiting} live=${live} />`;
  const { clients, more } = live.data;
  const rows = clients.filter((client) => everybody || client.subscriptions.length || client.in_flight).sort((a, b) => (b.silent - a.silent) || (a.oldest ?? Infinity) - (b.oldest ?? Infinity) || a.connection - b.connection);
  return html`${head}<${Problem} problem=${live.problem} at=${live.at} />
    <div class="bar"><label class="check"><input type="checkbox" checked=${everybody} onChange=${(event) => setEverybody(event.target.checked)} /> also connections that consume nothing</label><span class="dim" role="status">${count(rows.length)} of ${plural(clients.length, 'connection')}${more ? ', and more' : ''}</span></div>
    <${Table} label="Consumers" rows=${rows} keyOf=${(client) => client.connection} kindOf=${(client) => (client.silent ? 'row-bad' : '')} empty="Nobody consumes." columns=${[
      { head: 'Client', main: true, cell: (client) => html`<strong><${Shown} text=${client.client} /></strong> <span class="dim number">#${client.connection}</span>` },
      { head: 'State', cell: (client) => (client.silent ? html`<${Badge} kind="bad" title="a lease of it ran out and nothing has come since">silent<//>` : html`<${Badge} kind=${states[client.state]?.[0]}>${states[client.state]?.[1] ?? client.state}<//>${client.unread && html` <${Badge} kind="warn">does not read<//>`}`) },
      { head: 'Holds', number: true, cell: (client) => html`<${Count} of=${client.in_flight} strong />` },
      { head: 'Oldest held since', cell: (client) => html`<${Time} ms=${client.oldest} />` },
      { head: 'Consumes', cell: (client) => (client.subscriptions.length ? client.subscriptions.map((each) => html`<div key=${each.sub}><${Place} each=${each} /> <span class="dim">holds ${count(each.in_flight)}</span></div>`) : html`<span class="none">–</span>`) },
      { head: 'Host', cell: (client) => html`<${Shown} text=${client.host} /><div class="dim"><${Shown} text=${client.peer} /></div>` },
      { head: 'Build', cell: (client) => html`<${Shown} text=${client.build} />` },
      { head: 'Connected', cell: (client) => html`<${Time} ms=${client.since} />` },
    ]} />`;
}

function Place({ each }) {
  const dlq = /^dlq:([^:]+):([^:]+)$/.exec(each.topic);
  const to = dlq ? queueLink(dlq[1], dlq[2], 'letters') : queueLink(each.topic, each.group);
  return html`<a href=${to}><${Shown} text=${each.topic} /> / <${Shown} text=${each.group} /></a>`;
}
