// One dead letter: what it says, every attempt, why, and what can be done with it.
import { html } from '../lib/html.js';
import { get, path, post } from '../lib/api.js';
import { bytesOf, headerText } from '../lib/bytes.js';
import { ofQueue, useLive } from '../lib/live.js';
import { count, plural } from '../lib/number.js';
import { may } from '../lib/rights.js';
import { messageLink, queueLink } from '../lib/route.js';
import { notice, who } from '../lib/state.js';
import { reasonText } from '../lib/story.js';
import { commandLine } from '../lib/text.js';
import { duration } from '../lib/time.js';
import { Attempts } from '../parts/attempts.js';
import { Badge, Fact, Facts, Fault, Problem, Shown, Time, Waiting } from '../parts/basics.js';
import { Body } from '../parts/body.js';
import { Commands } from '../parts/copy.js';
import { Opens } from '../parts/dialog.js';
import { Table } from '../parts/table.js';
import { Why } from '../parts/why.js';
import { Edit } from './edit.js';
import { Purge } from './purge.js';
import { Redrive } from './redrive.js';

export function Letter({ topic, group, name }) {
  const where = path`topics/${topic}/groups/${group}/dlq/letters/${name}`;
  const live = useLive(async (signal) => {
    const letter = await get(where, {}, signal);
    const [origin, seq] = split(letter.origin);
    const [why, original] = await Promise.all([
      get(path`topics/${origin}/messages/${seq}/why`, { group }, signal).catch((problem) => ({ problem })),
      letter.edited ? get(where, { original: true }, signal) : null,
    ]);
    return { letter, why, original };
  }, [where], { every: 10000, when: ofQueue(topic, group) });
  const crumbs = (cause) => html`<nav class="crumbs" aria-label="Where you are"><a href="#/">Overview</a> › <a href=${queueLink(topic, group)}><${Shown} text=${topic} /> / <${Shown} text=${group} /></a>${cause && html` › <a href=${queueLink(topic, group, 'cause', cause)}>cause</a>`}</nav>`;
  const gone = live.problem?.status === 404;
  if (!live.data) return html`${crumbs()}<h1 tabindex="-1">Dead letter</h1>${gone ? html`<${Gone} topic=${topic} name=${name} />` : html`<${Waiting} live=${live} />`}`;
  const { letter, why, original } = live.data;
  return html`${crumbs(letter.cause)}
    <div class="page-head"><h1 tabindex="-1"><${Shown} text=${letter.origin} /></h1>${gone ? html`<${Badge} kind="info">left the queue<//>` : letter.attended ? html`<${Badge} kind="mute">looked at<//>` : html`<${Badge} kind="warn">nobody looked<//>`}${letter.edited && html`<${Badge} kind="info">edited<//>`}</div>
    ${gone ? html`<${Gone} topic=${topic} name=${letter.origin} />` : html`<${Acts} ...${{ topic, group, letter, original }} refresh=${live.refresh} /><${Problem} problem=${live.problem} at=${live.at} />`}
    <p class="lead error"><${Fault} type=${letter.error_type} message=${letter.error_message} lines /></p>
    <${Facts}>
      <${Fact} name="Dead letter"><${Shown} text=${letter.id} /><//>
      <${Fact} name="Died"><${Time} ms=${letter.died} /><//>
      <${Fact} name="Because">${reasonText(letter.reason)}<//>
      <${Fact} name="Published"><${Time} ms=${letter.published} /><//>
      <${Fact} name="Attempts">${plural(letter.attempts, 'failure')} in ${plural(letter.deliveries, 'delivery', 'deliveries')}${letter.attempts_total > letter.attempts ? html` <span class="dim">${count(letter.attempts_total)} over all redrives</span>` : ''}<//>
      <${Fact} name="Redriven before">${letter.generation ? plural(letter.generation, 'time') : 'never'}<//>
      ${letter.cause && html`<${Fact} name="Cause"><a href=${queueLink(topic, group, 'cause', letter.cause)}><code>${letter.cause}</code></a><//>`}
      <${Fact} name="Key"><${Key} row=${letter} /><//>
      <${Fact} name="Time to live">${letter.ttl_ms ? duration(letter.ttl_ms) : 'none of its own'}<//>
      ${letter.deadline && html`<${Fact} name="Deadline"><${Time} ms=${letter.deadline} /><//>`}
      ${letter.rule_action && html`<${Fact} name="A rule will act">rule ${letter.rule}: ${letter.rule_action} <${Time} ms=${letter.rule_at} /><//>`}
    <//>
    <section><h2>Body</h2><${Edited} letter=${letter} original=${original} /></section>
    <section><h2>Headers</h2><${Headers} headers=${letter.headers} /></section>
    <section><h2>Every attempt</h2><${Attempts} history=${letter.history} published=${letter.published} died=${letter.died} /></section>
    <section><h2>Why</h2>${why.groups ? why.groups.map((each) => html`<${Why} key=${each.group} why=${why} group=${each} />`) : html`<${Problem} problem=${why.problem} />`}</section>
    <${Commands} commands=${[
      ['Show it', commandLine('shunt', 'dlq', 'show', letter.id)],
      ['Say why', commandLine('shunt', 'why', letter.origin, '-g', group)],
      ['Save the body', commandLine('shunt', 'dlq', 'show', letter.id, '--raw', 'body')],
      ['Bring it back', commandLine('shunt', 'dlq', 'redrive', letter.id)],
    ]} />`;
}

const split = (name) => [name.slice(0, name.lastIndexOf('/')), name.slice(name.lastIndexOf('/') + 1)];

function Gone({ topic, name }) {
  const message = /^\d+$/.test(name) ? null : messageLink(name.includes('/') ? name : `${topic}/${name}`);
  return html`<p class="lead" role="status">It is no dead letter any more: it was brought back, purged, or handled from the dead-letter queue.${message && html` <a href=${message}>See where the message is</a>.`}</p>`;
}

function Acts({ topic, group, letter, original, refresh }) {
  const me = who.use();
  const attend = async () => {
    try {
      await post(path`topics/${topic}/groups/${group}/dlq/attend`, { messages: [letter.id] });
      notice('Looked at.');
      refresh();
    } catch (problem) {
      notice(problem.message, { bad: true });
    }
  };
  const ids = [letter.id];
  return html`<div class="acts">
    ${!letter.attended && may(me, 'dlq-look', topic) && html`<button type="button" class="primary" onClick=${attend}>I have looked at it</button>`}
    ${may(me, 'dlq-redrive', topic) && html`<${Opens} dialog=${(close) => html`<${Redrive} ...${{ topic, group, ids }} onClose=${close} />`}>Redrive…<//>
      <${Opens} dialog=${(close) => html`<${Edit} ...${{ topic, group, seen: { letter, original } }} onClose=${close} done=${refresh} />`}>Edit…<//>`}
    ${may(me, 'dlq-purge', topic) && html`<${Opens} className="danger-plain" dialog=${(close) => html`<${Purge} ...${{ topic, group, ids }} onClose=${close} />`}>Purge…<//>`}
  </div>`;
}

// The body; if somebody edited it, both that and what was published.
function Edited({ letter, original }) {
  const now = bytesOf(letter, 'body');
  if (!letter.edited || !original) return html`<${Body} bytes=${now} />`;
  const { edited } = letter;
  return html`<p>Edited <${Time} ms=${edited.at} />${edited.client && html` by <${Shown} text=${edited.client} />`}${edited.host && html` on <${Shown} text=${edited.host} />`}${edited.reason && html`, because: <${Shown} text=${edited.reason} />`}. This group gets the edited body, others what was published.</p>
    <div class="two"><div><h3>As it goes back</h3><${Body} bytes=${now} name="Edited body" /></div><div><h3>As it was published</h3><${Body} bytes=${bytesOf(original, 'body')} name="Published body" /></div></div>`;
}

export function Key({ row }) {
  if (typeof row.key_base64 === 'string') return html`<code>base64:<${Shown} text=${row.key_base64} /></code>`;
  return html`<${Shown} text=${row.key} />`;
}

export function Headers({ headers }) {
  const origin = headers?.['shunt-origin'];
  const rows = Object.entries(headers ?? {});
  return html`${typeof origin === 'string' && messageLink(origin) && html`<p>It came from <a href=${messageLink(origin)}><${Shown} text=${origin} /></a>, which died there and was moved here.</p>`}
    <${Table} label="Headers" rows=${rows} keyOf=${([name]) => name} empty="It has none." columns=${[
      { head: 'Name', main: true, cell: ([name]) => html`<${Shown} text=${name} />` },
      { head: 'Value', wide: true, cell: ([, value]) => html`<${Shown} text=${headerText(value)} lines />` },
    ]} />`;
}

