// Who holds which messages of a queue, since when.
import { html } from '../lib/html.js';
import { get, path } from '../lib/api.js';
import { useLive } from '../lib/live.js';
import { link } from '../lib/route.js';
import { Badge, Problem, Shown, Time, Waiting } from '../parts/basics.js';
import { Table } from '../parts/table.js';

export function Holders({ topic, group }) {
  const live = useLive((signal) => get(path`topics/${topic}/groups/${group}/holders`, { limit: 200 }, signal), [topic, group], { every: 3000 });
  if (!live.data) return html`<${Waiting} live=${live} />`;
  const rows = [...live.data.holders].sort((a, b) => (a.leased ?? Infinity) - (b.leased ?? Infinity));
  return html`<${Problem} problem=${live.problem} at=${live.at} />
    <${Table} label="Messages in flight" rows=${rows} keyOf=${(row) => row.seq} kindOf=${(row) => (row.silent ? 'row-bad' : '')} empty="Nothing is in flight." columns=${[
      { head: 'Message', main: true, cell: (row) => html`<a href=${link(['m', topic, row.seq])}>${topic}/${row.seq}</a>` },
      { head: 'Consumer', cell: (row) => html`<${Shown} text=${row.consumer} />${row.silent && html` <${Badge} kind="bad">silent<//>`}` },
      { head: 'Host', cell: (row) => html`<${Shown} text=${row.host} />` },
      { head: 'Build', cell: (row) => html`<${Shown} text=${row.build} />` },
      { head: 'Held since', cell: (row) => html`<${Time} ms=${row.leased} />` },
      { head: 'Handler began', cell: (row) => (row.started ? html`<${Time} ms=${row.started} />` : html`<span class="dim">not yet</span>`) },
      { head: 'Lease ends', cell: (row) => html`<${Time} ms=${row.until} />` },
      { head: 'Failures', number: true, cell: (row) => html`<span class="number">${row.attempts}</span>` },
    ]} />${live.data.more && html`<p class="dim">These are the first 200 by number; there are more.</p>`}`;
}
