// The keys that weigh most, and those that dead letters hold.
import { useState } from 'preact/hooks';
import { html } from '../lib/html.js';
import { get, path } from '../lib/api.js';
import { useLive } from '../lib/live.js';
import { count } from '../lib/number.js';
import { messageLink } from '../lib/route.js';
import { Problem, Shown, Time, Waiting } from '../parts/basics.js';
import { Table } from '../parts/table.js';
import { Key } from './letter.js';

const ways = [['blocked', 'Blocked by dead letters'], ['rate', 'Messages a second, of the whole topic'], ['waiting', 'Messages that wait'], ['in_flight', 'Messages in flight'], ['failures', 'Failures a second']];

export function Keys({ topic, group }) {
  const [by, setBy] = useState('blocked');
  const live = useLive((signal) => get(path`topics/${topic}/keys`, { by, group }, signal), [topic, group, by]);
  const choice = html`<div class="bar"><label>By <select name="by" value=${by} onChange=${(event) => setBy(event.target.value)}>${ways.map(([name, text]) => html`<option key=${name} value=${name}>${text}</option>`)}</select></label></div>`;
  if (!live.data) return html`${choice}<${Waiting} live=${live} />`;
  const { keys, bound_milli: bound } = live.data;
  const key = { head: 'Key', main: true, cell: (row) => html`<${Key} row=${row} />` };
  const blocked = [key,
    { head: 'Messages behind it', number: true, cell: (row) => html`<span class="number">${count(row.waiting)}</span>` },
    { head: 'Dead letters', number: true, cell: (row) => html`<span class="number">${count(row.letters)}</span>` },
    { head: 'First letter', cell: (row) => html`<a href=${messageLink(row.letter)}><${Shown} text=${row.message} /></a>` },
    { head: 'Since', cell: (row) => html`<${Time} ms=${row.since} />` }];
  const heavy = [key,
    { head: ways.find(([name]) => name === by)[1], number: true, cell: (row) => html`<span class="number">${(row.milli / 1000).toFixed(3)}</span>` },
    { head: 'At most too large by', number: true, cell: (row) => html`<span class="number dim">${(row.error_milli / 1000).toFixed(3)}</span>` }];
  return html`${choice}<${Problem} problem=${live.problem} at=${live.at} />
    <${Table} label="Keys" rows=${keys} keyOf=${(row) => row.key ?? row.key_base64 ?? ''} columns=${by === 'blocked' ? blocked : heavy} empty=${by === 'blocked' ? 'No dead letter holds a key.' : 'No key was seen lately.'} />
    ${by !== 'blocked' && html`<p class="dim">These are estimates; no key that weighs more than ${((bound ?? 0) / 1000).toFixed(3)} is missing.</p>`}`;
}
