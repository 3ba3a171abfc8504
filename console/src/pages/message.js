// Any message, dead or not: where it is in each group, how it came there, what comes next.
import { html } from '../lib/html.js';
import { get, path } from '../lib/api.js';
import { useLive } from '../lib/live.js';
import { link, messageLink, queueLink } from '../lib/route.js';
import { commandLine } from '../lib/text.js';
import { Badge, Problem, Shown, Time, Waiting } from '../parts/basics.js';
import { Attempts } from '../parts/attempts.js';
import { Commands } from '../parts/copy.js';
import { Why } from '../parts/why.js';

const kinds = { dead: 'bad', ready: 'info', in_flight: 'info', delayed: 'info', done: 'good' };

export function Message({ topic, seq }) {
  const live = useLive((signal) => get(path`topics/${topic}/messages/${seq}/why`, {}, signal), [topic, seq], { every: 5000, when: ({ data }) => data?.topic === topic });
  const head = html`<nav class="crumbs" aria-label="Where you are"><a href="#/">Overview</a></nav><h1 tabindex="-1"><${Shown} text=${`${topic}/${seq}`} /></h1>`;
  if (!live.data) return html`${head}<${Waiting} live=${live} />`;
  const why = live.data;
  return html`${head}<${Problem} problem=${live.problem} at=${live.at} />
    <p class="dim">${why.published ? html`Published <${Time} ms=${why.published} />. ` : ''}${why.stored ? 'It is stored.' : 'It is not stored any more.'}</p>
    ${why.groups.map((group) => html`<section key=${group.group}>
      <div class="page-head"><h2><a href=${queueLink(why.topic, group.group)}>group <${Shown} text=${group.group} /></a></h2><${Badge} kind=${kinds[group.state] ?? 'mute'}>${group.state.replaceAll('_', ' ')}<//></div>
      <p>${group.death?.id && group.state === 'dead' && html`<a href=${messageLink(group.death.id)}>Open its dead letter</a> `}${group.end?.moved_to && html`<a href=${messageLink(group.end.moved_to)}>Go to <${Shown} text=${group.end.moved_to} /></a> `}${group.redrive?.job && !group.redrive.rule && html`<a href=${link(['jobs', group.redrive.job])}>See the redrive that brought it back</a>`}</p>
      <${Why} why=${why} group=${group} />
      ${group.history.length > 0 && html`<h3>Every attempt</h3><${Attempts} history=${group.history} published=${why.published} died=${group.death?.died} />`}
    </section>`)}
    ${why.more && html`<p class="dim">There are further groups than fit into one answer.</p>`}
    <${Commands} commands=${[['Say why', commandLine('shunt', 'why', `${topic}/${seq}`)]]} />`;
}
