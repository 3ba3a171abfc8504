// Copying: of what a text is, and not of how it is shown.
import { useState } from 'preact/hooks';
import { html } from '../lib/html.js';
import { notice } from '../lib/state.js';
import { Shown } from './basics.js';

export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = document.createElement('textarea'); // without HTTPS browsers may have no clipboard
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand('copy');
    area.remove();
    return done;
  }
}

export function Copy({ text, label = 'Copy' }) {
  const [done, set] = useState(false);
  const click = async () => {
    const copied = await copyText(text);
    set(copied);
    if (!copied) notice('The browser does not let this page copy.', { bad: true });
    setTimeout(() => set(false), 2000);
  };
  return html`<button type="button" class="small" onClick=${click}>${done ? 'Copied' : label}</button>`;
}

// Commands that do in a terminal what is seen here: [[what, command]…].
export function Commands({ commands }) {
  return html`<details class="commands"><summary>As commands</summary>
    <ul>${commands.map(([what, command]) => html`<li key=${what}><span>${what}</span><code><${Shown} text=${command} /></code><${Copy} text=${command} label="Copy" /></li>`)}</ul>
  </details>`;
}
