// Dropping letters for good: what goes is counted first, and has to be meant.
import { html } from '../lib/html.js';
import { path, post } from '../lib/api.js';
import { filterFields, filterText, fixed } from '../lib/filter.js';
import { plural } from '../lib/number.js';
import { go, link } from '../lib/route.js';
import { useState } from 'preact/hooks';
import { Shown } from '../parts/basics.js';
import { Ask } from '../parts/dialog.js';
import { Tally, useTally } from './tally.js';

export function Purge({ topic, group, filter: given, ids, onClose }) {
  const [filter] = useState(given && fixed(given));
  const [tally, again] = useTally(topic, group, filter, ids);
  const letters = tally?.done ? tally.letters : 0;
  const act = async (reason) => {
    const which = ids ? { ids } : Object.keys(filter).length ? { matching: letters } : { count: letters };
    const answer = await post(path`topics/${topic}/groups/${group}/dlq/purge`, { which, ...(filter && Object.keys(filter).length && { filter: filterFields(filter) }), reason });
    if (!answer.job) return 'There was nothing left to purge.';
    go(link(['jobs', answer.job]));
    return `Purge begun: ${plural(answer.count, 'letter')} of ${topic} / ${group}.`;
  };
  return html`<${Ask} title=${`Purge dead letters of ${topic} / ${group}`} verb=${letters ? `Drop ${plural(letters, 'letter')} for good` : 'Drop'} danger word=${topic} can=${letters > 0} act=${act} onClose=${onClose}>
    <p>${ids ? 'The letters that you chose' : Object.keys(filter).length ? html`All letters with <code><${Shown} text=${filterText(filter)} /></code>` : 'All dead letters of this queue'} are dropped, with body and history. Nobody can bring them back: export them first if that could be wanted.</p>
    <${Tally} tally=${tally} again=${again} />
  <//>`;
}
