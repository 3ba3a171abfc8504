// What a queue's letters died of, the most pressing first.
import { html } from '../lib/html.js';
import { get, path } from '../lib/api.js';
import { ofQueue, useLive } from '../lib/live.js';
import { count } from '../lib/number.js';
import { queueLink } from '../lib/route.js';
import { cut } from '../lib/text.js';
import { Badge, Count, Problem, Shown, Time, Waiting } from '../parts/basics.js';
import { Spark } from '../parts/spark.js';
import { Table } from '../parts/table.js';

export const stateKinds = { new: 'warn', regressed: 'bad', seen: 'info', muted: 'mute', resolved: 'good' };

export const CauseState = ({ cause }) => html`<${Badge} kind=${stateKinds[cause.state] ?? 'mute'}>${cause.state}<//>`;

// The line of a stack's own code, if the title has none: what the example says.
export function Causes({ topic, group, info }) {
  const live = useLive((signal) => get(path`topics/${topic}/groups/${group}/dlq/causes`, {}, signal), [topic, group], { when: ofQueue(topic, group) });
  if (!live.data) return html`<${Waiting} live=${live} />`;
  const { causes } = live.data;
  const trend = (cause) => html`<${Spark} bars values=${cause.hours?.slice(-24)} label=${cause.hours ? `deaths by the hour, the last 24: ${cause.hours.slice(-24).join(', ')}` : ''} />`;
  const columns = [
    { head: 'Cause', main: true, wide: true, cell: (cause) => html`<a class="strong" href=${queueLink(topic, group, 'cause', cause.cause)}><${Shown} text=${cut(cause.title, 160)} /></a>` },
    { head: 'State', cell: (cause) => html`<${CauseState} cause=${cause} />${cause.unattended && html` <${Badge} kind="warn">nobody looked<//>`}` },
    { head: 'Dead', number: true, cell: (cause) => html`<${Count} of=${cause.dead} strong=${cause.unattended} />` },
    { head: 'Ever', number: true, hint: 'how often messages died of it', cell: (cause) => html`<${Count} of=${cause.count} />` },
    { head: 'Last 24 hours', cell: trend },
    { head: 'First', cell: (cause) => html`<${Time} ms=${cause.first} />` },
    { head: 'Last', cell: (cause) => html`<${Time} ms=${cause.last} />` },
    { head: 'Builds', cell: (cause) => html`<${Names} of=${cause.builds} />` },
    { head: 'Owner', cell: (cause) => html`<${Shown} text=${cause.owner} />${cause.note && html`<div class="dim note" title=${cause.note}><${Shown} text=${cut(cause.note, 60)} /></div>`}` },
  ];
  return html`<${Problem} problem=${live.problem} at=${live.at} />
    <${Table} label="Causes" rows=${causes} columns=${columns} keyOf=${(cause) => cause.cause} kindOf=${(cause) => `row-${cause.dead ? (cause.state === 'regressed' ? 'bad' : cause.unattended ? 'warn' : 'mute') : 'good'}`}
      empty=${info?.dead ? 'These letters have no cause yet: the server is counting them.' : 'Nothing has died here. That is how it should be.'} />`;
}

function Names({ of }) {
  if (!of?.length) return html`<span class="none">–</span>`;
  return html`<span title=${of.map((each) => `${each.name}: ${count(each.count)}`).join(', ')}><${Shown} text=${cut(of[0].name, 24)} />${of.length > 1 && html` <span class="dim">+${of.length - 1}</span>`}</span>`;
}
