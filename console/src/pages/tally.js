// A dry run: what a choice of letters comes to, by cause, counted letter by letter as the broker lists them.
import { useEffect, useState } from 'preact/hooks';
import { html } from '../lib/html.js';
import { get, eachPage, path } from '../lib/api.js';
import { filterQuery } from '../lib/filter.js';
import { count, plural } from '../lib/number.js';
import { cut } from '../lib/text.js';
import { Problem, Shown } from '../parts/basics.js';
import { Table } from '../parts/table.js';

// { letters, causes: Map of fingerprint to count, done, problem } of a filter, or of ids; null before it is asked for. `filter` null: nothing is asked.
export function useTally(topic, group, filter, ids) {
  const [tally, set] = useState(null);
  const name = JSON.stringify([filter, ids]);
  const [times, again] = useState(0);
  useEffect(() => {
    set(null);
    if (!filter && !ids) return undefined;
    const ended = new AbortController();
    const causes = new Map();
    let letters = 0;
    const add = (letter) => {
      letters++;
      causes.set(letter.cause ?? '', (causes.get(letter.cause ?? '') ?? 0) + 1);
    };
    const where = path`topics/${topic}/groups/${group}/dlq/letters`;
    const walk = async () => {
      const titles = await get(path`topics/${topic}/groups/${group}/dlq/causes`, {}, ended.signal);
      const titleOf = new Map(titles.causes.map((cause) => [cause.cause, cause.title]));
      const tell = (done) => !ended.signal.aborted && set({ letters, causes: new Map(causes), titleOf, done });
      if (ids) {
        for (const id of ids) {
          try {
            add(await get(`${where}/${encodeURIComponent(id)}`, {}, ended.signal));
          } catch (problem) {
            if (problem.status !== 404) throw problem; // gone since it was chosen
          }
        }
      } else {
        await eachPage(where, { ...filterQuery(filter), limit: 1000 }, (page) => {
          page.letters.forEach(add);
          tell(false);
        }, ended.signal);
      }
      tell(true);
    };
    walk().catch((problem) => !ended.signal.aborted && set({ letters, causes, titleOf: new Map(), done: false, problem }));
    return () => ended.abort();
  }, [topic, group, name, times]);
  return [tally, () => again(times + 1)];
}

export function Tally({ tally, again }) {
  if (!tally) return html`<p class="dim" role="status">Counting…</p>`;
  const rows = [...tally.causes].map(([cause, letters]) => ({ cause, letters })).sort((a, b) => b.letters - a.letters);
  return html`<p role="status" aria-live="polite"><strong class="number">${plural(tally.letters, 'letter')}</strong> of ${plural(rows.length, 'cause')}${tally.done ? '' : ', and counting…'}</p>
    <${Problem} problem=${tally.problem} retry=${again} />
    ${rows.length > 0 && html`<div class="tally"><${Table} label="What it would touch, by cause" rows=${rows} keyOf=${(row) => row.cause} columns=${[
      { head: 'Cause', main: true, cell: (row) => html`<${Shown} text=${cut(tally.titleOf.get(row.cause) ?? (row.cause || 'none yet'), 120)} />` },
      { head: 'Letters', number: true, cell: (row) => html`<span class="number">${count(row.letters)}</span>` },
    ]} /></div>`}`;
}
