// What is done by itself with letters as they come, and what each rule has done.
import { html } from '../lib/html.js';
import { get, path, post, remove } from '../lib/api.js';
import { filterText } from '../lib/filter.js';
import { ofQueue, useLive } from '../lib/live.js';
import { count } from '../lib/number.js';
import { may } from '../lib/rights.js';
import { who } from '../lib/state.js';
import { duration } from '../lib/time.js';
import { Badge, Count, Problem, Shown, Time, Waiting } from '../parts/basics.js';
import { Ask, Opens } from '../parts/dialog.js';
import { Table } from '../parts/table.js';

export function Rules({ topic, group }) {
  const where = path`topics/${topic}/groups/${group}/dlq/rules`;
  const live = useLive((signal) => get(where, {}, signal), [where], { when: ofQueue(topic, group) });
  const allowed = may(who.use(), 'dlq-redrive', topic);
  if (!live.data) return html`<${Waiting} live=${live} />`;
  const what = (rule) => html`${rule.action}${rule.action === 'redrive' && html` <span class="dim">up to ${rule.times} times, after up to ${duration(rule.wait_ms)} to ${duration(rule.wait_max_ms)}</span>`}${rule.to && html` <span class="dim">to <${Shown} text=${rule.to} /></span>`}`;
  const chosen = (rule) => {
    const filter = Object.fromEntries(Object.entries(rule.filter ?? {}).filter(([, value]) => value !== null).map(([name, value]) => [name, Array.isArray(value) ? value.join('=') : value]));
    return Object.keys(filter).length ? html`<code><${Shown} text=${filterText(filter)} /></code>` : html`<span class="dim">every letter</span>`;
  };
  const turn = (rule, close) => html`<${Ask} title=${`Turn rule ${rule.rule} ${rule.disabled ? 'on' : 'off'}`} verb=${rule.disabled ? 'Turn on' : 'Turn off'} onClose=${close} act=${async (reason) => {
    await post(where, { rule: rule.rule, options: { disabled: !rule.disabled }, reason });
    live.refresh();
    return `Rule ${rule.rule} of ${topic} / ${group} is ${rule.disabled ? 'on' : 'off'}.`;
  }}><p>${rule.disabled ? 'It decides on letters that come from now on.' : `${count(rule.waiting)} letters that wait for it stay where they are.`}</p><//>`;
  const drop = (rule, close) => html`<${Ask} title=${`Delete rule ${rule.rule}`} verb="Delete the rule" danger word=${topic} onClose=${close} act=${async (reason) => {
    await remove(`${where}/${rule.rule}`, { reason });
    live.refresh();
    return `Rule ${rule.rule} of ${topic} / ${group} is deleted.`;
  }}><p>${count(rule.waiting)} letters that wait for it stay in the dead-letter queue.</p><//>`;
  const columns = [
    { head: 'Rule', main: true, cell: (rule) => html`<span class="number strong">${rule.rule}</span>` },
    { head: 'Letters', cell: chosen },
    { head: 'What it does', cell: what },
    { head: 'State', cell: (rule) => (rule.disabled ? html`<${Badge} kind="mute">off<//>` : html`<${Badge} kind="good">on<//>`) },
    { head: 'Decided on', number: true, cell: (rule) => html`<${Count} of=${rule.matched} />` },
    { head: 'Done', number: true, cell: (rule) => html`<${Count} of=${rule.done} />` },
    { head: 'Waiting', number: true, cell: (rule) => html`<${Count} of=${rule.waiting} />` },
    { head: 'Given up', number: true, cell: (rule) => html`<${Count} of=${rule.given_up} strong />` },
    { head: 'Set', cell: (rule) => html`<${Time} ms=${rule.set} />` },
  ];
  if (allowed) columns.push({ head: 'Acts', cell: (rule) => html`<${Opens} className="small" label=${`Turn ${rule.disabled ? 'on' : 'off'}… rule ${rule.rule}`} dialog=${(close) => turn(rule, close)}>${rule.disabled ? 'Turn on…' : 'Turn off…'}<//> <${Opens} className="small danger-plain" label=${`Delete… rule ${rule.rule}`} dialog=${(close) => drop(rule, close)}>Delete…<//>` });
  return html`<${Problem} problem=${live.problem} at=${live.at} />
    <${Table} label="Rules on dead letters" rows=${live.data.rules} columns=${columns} keyOf=${(rule) => rule.rule} kindOf=${(rule) => (rule.disabled ? 'row-mute' : '')} empty="There is no rule: every letter waits for somebody." />`;
}
