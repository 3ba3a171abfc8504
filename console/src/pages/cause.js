// One cause: an example of it, where and when it happens, its letters, and what was decided.
import { useId, useState } from 'preact/hooks';
import { html } from '../lib/html.js';
import { get, patch, path, post } from '../lib/api.js';
import { filterCommand } from '../lib/filter.js';
import { ofQueue, useLive } from '../lib/live.js';
import { count, percent, plural } from '../lib/number.js';
import { may } from '../lib/rights.js';
import { queueLink } from '../lib/route.js';
import { notice, who } from '../lib/state.js';
import { reasonText } from '../lib/story.js';
import { commandLine } from '../lib/text.js';
import { Attempt } from '../parts/attempts.js';
import { Badge, Count, Fact, Facts, Problem, Shown, Time, Waiting } from '../parts/basics.js';
import { Hours } from '../parts/chart.js';
import { Commands, Copy } from '../parts/copy.js';
import { Ask, Opens } from '../parts/dialog.js';
import { Letters } from '../parts/letters.js';
import { Table } from '../parts/table.js';
import { CauseState } from './causes.js';
import { Purge } from './purge.js';
import { Redrive } from './redrive.js';

export function Cause({ topic, group, name }) {
  const where = path`topics/${topic}/groups/${group}/dlq/causes/${name}`;
  const live = useLive((signal) => get(where, {}, signal), [where], { when: ofQueue(topic, group) });
  const crumbs = html`<nav class="crumbs" aria-label="Where you are"><a href="#/">Overview</a> › <a href=${queueLink(topic, group)}><${Shown} text=${topic} /> / <${Shown} text=${group} /></a></nav>`;
  if (!live.data) return html`${crumbs}<h1 tabindex="-1">Cause</h1><${Waiting} live=${live} />`;
  const cause = live.data;
  return html`${crumbs}
    <div class="page-head"><h1 tabindex="-1"><${Shown} text=${cause.title} /></h1><${CauseState} cause=${cause} />${cause.unattended && html`<${Badge} kind="warn">nobody looked<//>`}</div>
    <${Acts} ...${{ topic, group, cause }} refresh=${live.refresh} />
    <${Problem} problem=${live.problem} at=${live.at} />
    <${Facts}>
      <${Fact} name="Dead now"><${Count} of=${cause.dead} strong /><//>
      <${Fact} name="Died of it ever"><${Count} of=${cause.count} /><//>
      <${Fact} name="First"><${Time} ms=${cause.first} /><//>
      <${Fact} name="Last"><${Time} ms=${cause.last} /><//>
      <${Fact} name="Why it dies">${reasonText(cause.reason)}<//>
      <${Fact} name="State since"><${Time} ms=${cause.state_since} /><//>
      <${Fact} name="Last looked at">${cause.attended ? html`<${Time} ms=${cause.attended} />` : 'never'}<//>
      <${Fact} name="Owner"><${Shown} text=${cause.owner} /><//>
      ${cause.note && html`<${Fact} name="Note"><${Shown} text=${cause.note} lines /><//>`}
      <${Fact} name="Fingerprint"><code>${cause.cause}</code> <${Copy} text=${cause.cause} /><//>
    <//>
    <div class="two">
      <section><h2>Example</h2>${cause.example ? html`<ol class="attempts"><${Attempt} row=${cause.example} last /></ol>` : html`<p class="empty">No attempt is kept.</p>`}</section>
      <section><h2>By the hour</h2><${Deaths} cause=${cause} />
        <${Shares} title="Builds" of=${cause.builds} total=${cause.count} /><${Shares} title="Hosts" of=${cause.hosts} total=${cause.count} /></section>
    </div>
    <section><h2>Its letters</h2><${Letters} topic=${topic} group=${group} filter=${{ cause: name }} /></section>
    <${Commands} commands=${[
      ['See it', commandLine('shunt', 'dlq', 'cause', topic, name, group !== 'default' && ['-g', group])],
      ['List its letters', filterCommand('list', topic, group, { cause: name })],
      ['See what a redrive would touch', filterCommand('redrive', topic, group, { cause: name }, '--dry-run')],
    ]} />`;
}

function Acts({ topic, group, cause, refresh }) {
  const me = who.use();
  const attend = async () => {
    try {
      await post(path`topics/${topic}/groups/${group}/dlq/attend`, { cause: cause.cause });
      notice(`Looked at: this cause, with ${plural(cause.dead, 'letter')}.`);
      refresh();
    } catch (problem) {
      notice(problem.message, { bad: true });
    }
  };
  const filter = { cause: cause.cause };
  return html`<div class="acts">
    ${cause.unattended && may(me, 'dlq-look', topic) && html`<button type="button" class="primary" onClick=${attend}>I have looked at it</button>`}
    ${may(me, 'dlq-redrive', topic) && html`<${Opens} dialog=${(close) => html`<${Decide} ...${{ topic, group, cause }} onClose=${close} done=${refresh} />`}>Decide…<//>`}
    ${cause.dead > 0 && may(me, 'dlq-redrive', topic) && html`<${Opens} className=${cause.unattended ? '' : 'primary'} dialog=${(close) => html`<${Redrive} ...${{ topic, group, filter }} onClose=${close} />`}>Redrive…<//>`}
    ${cause.dead > 0 && may(me, 'dlq-purge', topic) && html`<${Opens} className="danger-plain" dialog=${(close) => html`<${Purge} ...${{ topic, group, filter }} onClose=${close} />`}>Purge…<//>`}
  </div>`;
}

const states = [['new', 'as if nobody had looked'], ['seen', 'somebody is at it'], ['muted', 'its letters count as looked at, and nobody is called'], ['resolved', 'mended: the next death makes it regressed, and comes before all others']];

// State, owner and note.
function Decide({ topic, group, cause, onClose, done }) {
  const [state, setState] = useState(states.some(([name]) => name === cause.state) ? cause.state : 'seen');
  const [owner, setOwner] = useState(cause.owner ?? '');
  const [note, setNote] = useState(cause.note ?? '');
  const id = useId();
  const act = async (reason) => {
    const { count: letters } = await patch(path`topics/${topic}/groups/${group}/dlq/causes/${cause.cause}`, { change: { state, owner, note }, reason });
    done();
    return `Noted: ${state}. It has ${plural(letters, 'letter')}.`;
  };
  return html`<${Ask} title="Decide about this cause" verb="Note it" act=${act} onClose=${onClose}>
    <p><${Shown} text=${cause.title} />: ${plural(cause.dead, 'letter')}</p>
    <fieldset><legend>State</legend>${states.map(([name, text]) => html`<label class="check" key=${name}><input type="radio" name="state" value=${name} checked=${state === name} onChange=${() => setState(name)} /> <strong>${name}</strong> <span class="dim">${text}</span></label>`)}</fieldset>
    <div class="field"><label for=${`${id}o`}>Owner</label><input id=${`${id}o`} name="owner" maxlength="64" value=${owner} onInput=${(event) => setOwner(event.target.value)} /></div>
    <div class="field"><label for=${`${id}n`}>Note</label><textarea id=${`${id}n`} name="note" rows="3" maxlength="500" value=${note} onInput=${(event) => setNote(event.target.value)}></textarea></div>
  <//>`;
}

function Deaths({ cause }) {
  const hours = cause.hours ?? [];
  if (!hours.some(Boolean)) return html`<p class="empty">Nothing died of it in the last ${plural(hours.length, 'hour')}.</p>`;
  const sum = hours.reduce((all, each) => all + each, 0);
  return html`<${Hours} values=${hours} until=${cause.hours_until} label=${`Deaths in each of the last ${hours.length} hours: ${count(sum)} in all, at most ${count(Math.max(...hours))} in one, ${count(hours.at(-1))} in the latest`} />`;
}

function Shares({ title, of, total }) {
  const share = (each) => html`<span class="share"><progress max=${total} value=${each.count} aria-label=${`${title}: share of ${each.name}`}></progress><span class="number">${percent(each.count, total)}</span></span>`;
  return html`<h3>${title}</h3><${Table} label=${title} rows=${of ?? []} keyOf=${(each) => each.name} empty="Its consumers named none." columns=${[
    { head: 'Name', main: true, cell: (each) => html`<${Shown} text=${each.name} />` },
    { head: 'Died', number: true, cell: (each) => html`<${Count} of=${each.count} />` },
    { head: 'Share', cell: share },
    { head: 'Last', cell: (each) => html`<${Time} ms=${each.last} />` },
  ]} />`;
}
