// What a message says: as a tree of JSON, as text, or byte by byte.
import { useState } from 'preact/hooks';
import { html } from '../lib/html.js';
import { hexLines, textOf } from '../lib/bytes.js';
import { parseTree } from '../lib/json.js';
import { bytes as size, plural } from '../lib/number.js';
import { Copy } from './copy.js';
import { Shown } from './basics.js';

const textMost = 64 * 1024; // shown at first
const hexMost = 4 * 1024;
const treeMost = 1024 * 1024;
const membersMost = 100;

// `bytes` null: the body is damaged. `name`: what the pieces are labelled with.
export function Body({ bytes, name = 'Body' }) {
  const [chosen, choose] = useState(null);
  if (!bytes) return html`<p class="empty">The body is damaged in the store and cannot be shown.</p>`;
  const text = textOf(bytes);
  const tree = text !== null && bytes.length <= treeMost ? parseTree(text) : null;
  const nested = tree && (tree.kind === 'object' || tree.kind === 'array');
  const views = [nested && 'JSON', text !== null && 'Text', 'Hex'].filter(Boolean);
  const view = views.includes(chosen) ? chosen : views[0];
  return html`<div class="body">
    <div class="bar"><div role="group" aria-label=${`${name}: how to show it`} class="choice">
      ${views.map((each) => html`<button type="button" key=${each} aria-pressed=${each === view} onClick=${() => choose(each)}>${each}</button>`)}
    </div><span class="dim">${size(bytes.length)}</span>${text !== null && html`<${Copy} text=${text} label="Copy body" />`}</div>
    ${bytes.length === 0 ? html`<p class="empty">It is empty.</p>` : view === 'JSON' ? html`<div class="tree" tabindex="0" role="group" aria-label=${`${name} as JSON`}><${Node} node=${tree} depth=${0} /></div>` : view === 'Text' ? html`<${Text} text=${text} name=${name} />` : html`<${Hex} bytes=${bytes} name=${name} />`}
  </div>`;
}

function Text({ text, name }) {
  const [most, set] = useState(textMost);
  return html`<pre tabindex="0" aria-label=${`${name} as text`}><${Shown} text=${text.slice(0, most)} lines /></pre>
    ${text.length > most && html`<button type="button" onClick=${() => set(most * 4)}>Show more: ${plural(text.length - most, 'character')} are left</button>`}`;
}

function Hex({ bytes, name }) {
  const [most, set] = useState(hexMost);
  return html`<pre class="hex" tabindex="0" aria-label=${`${name} in hex`}>${hexLines(bytes, 0, most / 16).map((line) => `${line.at}  ${line.hex.padEnd(47)}  ${line.text}\n`).join('')}</pre>
    ${bytes.length > most && html`<button type="button" onClick=${() => set(most * 4)}>Show more: ${plural(bytes.length - most, 'byte')} are left</button>`}`;
}

// A member of a tree; what holds others opens and closes, and its members are drawn when it is open.
function Node({ node, depth, label }) {
  const [open, set] = useState(depth < 2);
  const [most, more] = useState(membersMost);
  const name = label !== undefined && html`<span class="tree-name"><${Shown} text=${label} /></span>`;
  if (node.kind !== 'object' && node.kind !== 'array') {
    return html`<div class="tree-leaf">${name}<span class=${`tree-${node.kind}`}>${node.kind === 'string' ? html`<span class="dim">"</span><${Shown} text=${node.value} /><span class="dim">"</span>` : node.text}</span></div>`;
  }
  const members = node.kind === 'object' ? node.members : node.items.map((item, at) => [at, item]);
  const hint = node.kind === 'object' ? `{${plural(members.length, 'member')}}` : `[${plural(members.length, 'item')}]`;
  if (!members.length) return html`<div class="tree-leaf">${name}<span class="dim">${node.kind === 'object' ? '{}' : '[]'}</span></div>`;
  return html`<details open=${open} onToggle=${(event) => event.target === event.currentTarget && set(event.currentTarget.open)}>
    <summary>${name}<span class="dim">${hint}</span></summary>
    ${open && html`<div class="tree-members">${members.slice(0, most).map(([key, member], at) => html`<${Node} key=${at} label=${key} node=${member} depth=${depth + 1} />`)}
      ${members.length > most && html`<button type="button" class="small" onClick=${() => more(most * 10)}>Show more of ${members.length}</button>`}</div>`}
  </details>`;
}
