// The letters of a queue, chosen by a filter, and acts on those that are chosen.
import { useEffect, useId, useState } from 'preact/hooks';
import { html } from '../lib/html.js';
import { filterCommand, filterText, fixed, parseFilter } from '../lib/filter.js';
import { plural } from '../lib/number.js';
import { may } from '../lib/rights.js';
import { go, queueLink, link } from '../lib/route.js';
import { who } from '../lib/state.js';
import { Shown } from '../parts/basics.js';
import { Commands } from '../parts/copy.js';
import { Opens } from '../parts/dialog.js';
import { Letters } from '../parts/letters.js';
import { Purge } from './purge.js';
import { Redrive } from './redrive.js';

export function QueueLetters({ topic, group, query }) {
  const asked = query.filter ?? '';
  const [text, setText] = useState(asked);
  const [selected, select] = useState(new Set());
  const me = who.use();
  const id = useId();
  useEffect(() => {
    setText(asked);
    select(new Set());
  }, [asked, topic, group]);
  const { filter, error } = parseFilter(asked);
  const typed = parseFilter(text);
  const submit = (event) => {
    event.preventDefault();
    if (typed.filter) go(link(['q', topic, group, 'letters'], { filter: filterText(fixed(typed.filter)) }));
  };
  const ids = [...selected];
  const what = ids.length ? { ids } : { filter };
  return html`<form class="bar" onSubmit=${submit}>
      <label class="grow" for=${id}>Filter <input id=${id} name="filter" value=${text} onInput=${(event) => setText(event.target.value)} autocomplete="off" spellcheck=${false} placeholder='type="exit 1" match="no such" since=2h header=shop=north' aria-describedby=${`${id}e`} aria-invalid=${typed.error ? 'true' : undefined} /></label>
      <button disabled=${!!typed.error || text === asked}>Choose</button>${asked && html`<a href=${queueLink(topic, group, 'letters')}>all letters</a>`}
    </form>
    <p id=${`${id}e`} class="hint" role="status">${typed.error ? html`<${Shown} text=${typed.error} />` : 'By cause, reason, type, match (a part of the error), since, header and key: all that is given must be so.'}</p>
    <div class="acts">
      ${may(me, 'dlq-redrive', topic) && !error && html`<${Opens} dialog=${(close) => html`<${Redrive} ...${{ topic, group, ...what }} onClose=${close} />`}>${ids.length ? `Redrive ${plural(ids.length, 'letter')}…` : 'Redrive…'}<//>`}
      ${may(me, 'dlq-purge', topic) && !error && html`<${Opens} className="danger-plain" dialog=${(close) => html`<${Purge} ...${{ topic, group, ...what }} onClose=${close} />`}>${ids.length ? `Purge ${plural(ids.length, 'letter')}…` : 'Purge…'}<//>`}
      ${ids.length > 0 && html`<button type="button" class="small" onClick=${() => select(new Set())}>Choose none</button>`}
    </div>
    ${filter && html`<${Letters} topic=${topic} group=${group} filter=${filter} selected=${selected} onSelect=${select} />
    <${Commands} commands=${[['List them', filterCommand('list', topic, group, filter)], ['Export them', filterCommand('export', topic, group, filter, '--to', 'letters.jsonl')]]} />`}`;
}
