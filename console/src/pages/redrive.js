// Bringing letters back: which, how fast, what stops it, where to, and why. What it would touch is counted first.
import { useEffect, useId, useState } from 'preact/hooks';
import { html } from '../lib/html.js';
import { get, path, post } from '../lib/api.js';
import { filterCommand, filterFields, filterText, fixed, parseFilter } from '../lib/filter.js';
import { plural, count } from '../lib/number.js';
import { go, link } from '../lib/route.js';
import { notice } from '../lib/state.js';
import { commandLine } from '../lib/text.js';
import { duration, parseDuration } from '../lib/time.js';
import { Problem, Shown } from '../parts/basics.js';
import { Commands } from '../parts/copy.js';
import { Dialog, Reason, reasonGiven, useReason } from '../parts/dialog.js';
import { Tally, useTally } from './tally.js';

const all = 4294967295;
const idsMost = 1000;

// Of a `filter`, or of `ids`.
export function Redrive({ topic, group, filter: given, ids, onClose }) {
  const [text, setText] = useState(given ? filterText(fixed(given)) : '');
  const [form, setForm] = useState({ most: '', rate: '', canary: given?.cause ? '1' : '0', fail: '', spread: '', to: '', build: '', hold: false, deadline: false });
  const [reason, setReason] = useReason();
  const [state, set] = useState({ busy: false, problem: null });
  const [topics, setTopics] = useState([]);
  const id = useId();
  const parsed = ids ? {} : parseFilter(text);
  const settled = useSettled(text);
  const chosen = ids ? null : parseFilter(settled).filter;
  const [tally, again] = useTally(topic, group, chosen && fixed(chosen), ids);
  useEffect(() => {
    get('topics', { limit: 1000 }).then((answer) => setTopics(answer.topics.map((each) => each.topic).filter((name) => name !== topic)), () => {});
  }, [topic]);
  const change = (name) => (event) => setForm({ ...form, [name]: event.target.type === 'checkbox' ? event.target.checked : event.target.value });
  const { error, fields, options } = readForm(form);
  const wrong = parsed.error ?? error ?? (ids?.length > idsMost ? `At most ${count(idsMost)} letters at a time: choose them by a filter.` : null);
  const letters = tally?.done ? Math.min(tally.letters, fields.most ?? Infinity) : 0;
  const ready = !wrong && !state.busy && letters > 0 && reason.trim() && (ids || text === settled);
  const missing = wrong ? '' : !tally?.done ? 'It is still counting.' : !letters ? 'No letter is like that.' : !reason.trim() ? 'Say why: a reason is missing.' : '';
  const where = form.to ? `to ${form.to}` : `back to ${topic} / ${group}`;
  const submit = async (event) => {
    event.preventDefault();
    if (!ready) return;
    set({ busy: true, problem: null });
    try {
      const which = ids ? { ids } : { matching: fields.most ?? all };
      const answer = await post(path`topics/${topic}/groups/${group}/dlq/redrive`, { which, rate: fields.rate, options: { ...(chosen && filterFields(chosen)), ...fields.options }, reason: reason.trim() });
      reasonGiven(reason);
      onClose();
      if (!answer.job) return notice('There was nothing left to bring back.');
      notice(`Redrive begun: ${plural(answer.count, 'letter')} ${where}.`);
      return go(link(['jobs', answer.job]));
    } catch (problem) {
      return set({ busy: false, problem });
    }
  };
  const field = (name, label, hint, more = {}) => html`<div class="field"><label for=${id + name}>${label}</label><input id=${id + name} name=${name} autocomplete="off" value=${form[name]} onInput=${change(name)} aria-describedby=${`${id + name}h`} ...${more} /><span class="hint" id=${`${id + name}h`}>${hint}</span></div>`;
  return html`<${Dialog} title="Redrive" wide onClose=${onClose}>
    <form onSubmit=${submit}>
      <section><h3>Which letters of <${Shown} text=${`${topic} / ${group}`} /></h3>
        ${ids
          ? html`<p>${plural(ids.length, 'letter')} that you chose: <${Shown} text=${ids.slice(0, 5).join(', ')} />${ids.length > 5 ? ' …' : ''}</p>`
          : html`<div class="field"><label for=${`${id}f`}>Filter</label><input id=${`${id}f`} name="filter" spellcheck=${false} autocomplete="off" value=${text} onInput=${(event) => setText(event.target.value)} placeholder="all letters" aria-describedby=${`${id}fh`} /><span class="hint" id=${`${id}fh`}>${parsed.error ? html`<span class="bad-text"><${Shown} text=${parsed.error} /></span>` : text ? 'Letters that are all of this.' : 'Nothing is asked for: all letters.'}</span></div>`}
        <h3>Dry run</h3>
        ${!ids && (parsed.error || text !== settled) ? html`<p class="dim">…</p>` : html`<${Tally} tally=${tally} again=${again} />`}
      </section>
      <section><h3>How</h3><div class="fields">
        ${!ids && field('most', 'At most', 'letters, the oldest first; empty: all', { inputmode: 'numeric' })}
        ${field('canary', 'Canary', 'so many go first; if one of them fails, all stops. 0: none', { inputmode: 'numeric' })}
        ${field('fail', 'Stop at failures of', 'percent of those with an outcome; empty: never', { inputmode: 'decimal' })}
        ${field('rate', 'Rate', 'letters a second; empty: as fast as possible', { inputmode: 'numeric' })}
        ${field('spread', 'Spread over', 'a time such as 10m, each at random; empty: at once')}
        <div class="field"><label for=${`${id}to`}>Where to</label><select id=${`${id}to`} name="to" value=${form.to} onChange=${change('to')}><option value="">back to ${topic} / ${group}</option>${topics.map((name) => html`<option key=${name} value=${name}>${name}</option>`)}</select><span class="hint">another topic gets them as new messages</span></div>
        <div class="field"><label class="check"><input type="checkbox" name="hold" checked=${form.hold} onChange=${change('hold')} /> Wait for a new build</label>${form.hold && html`<input name="build" aria-label="Which build; empty: another one than those that failed" placeholder="any other than those that failed" value=${form.build} onInput=${change('build')} />`}<span class="hint">it begins when such a consumer connects</span></div>
        <div class="field"><label class="check"><input type="checkbox" name="deadline" checked=${form.deadline} onChange=${change('deadline')} /> Keep deadlines</label><span class="hint">those that have passed end their messages again</span></div>
      </div>${(ids ? wrong : error) && html`<p class="bad-text" role="alert">${ids ? wrong : error}</p>`}</section>
      <${Reason} value=${reason} onInput=${setReason} />
      <${Commands} commands=${[['The same', ids ? commandLine('shunt', 'dlq', 'redrive', topic, ids, group !== 'default' && ['-g', group], options) : filterCommand('redrive', topic, group, chosen ?? {}, ...(Object.keys(chosen ?? {}).length || form.most ? [] : ['--all']), ...options)]]} />
      <${Problem} problem=${state.problem} />
      <footer><span class="hint grow" role="status">${missing}</span><button type="button" onClick=${onClose}>Cancel</button><button class="primary" disabled=${!ready}>${state.busy ? 'Asking…' : letters ? `Redrive ${plural(letters, 'letter')} ${where}` : 'Redrive'}</button></footer>
    </form>
  <//>`;
}

// What was typed, when nothing was for a moment.
function useSettled(text) {
  const [settled, set] = useState(text);
  useEffect(() => {
    const timer = setTimeout(() => set(text), 400);
    return () => clearTimeout(timer);
  }, [text]);
  return settled;
}

// { error } or what the request, and the tool, would be given.
export function readForm(form) {
  const fields = { options: {} };
  const options = [];
  const error = (text) => ({ error: text, fields, options });
  const whole = (text) => (/^\d+$/.test(text.trim()) ? Number(text) : NaN);
  if (form.most) {
    fields.most = whole(form.most);
    if (!(fields.most >= 1 && fields.most < all)) return error('At most: a whole number of letters.');
    options.push('--count', fields.most);
  }
  const canary = form.canary.trim() ? whole(form.canary) : 0;
  if (!(canary <= 1000000)) return error('Canary: a whole number up to 1,000,000.');
  if (canary) fields.options.canary = canary;
  options.push('--canary', canary);
  if (form.fail) {
    const percent = Number(form.fail.replace('%', ''));
    if (!(percent >= 0 && percent <= 100)) return error('Stop at failures of: a percentage from 0 to 100.');
    fields.options.max_fail = Math.round(percent * 10);
    options.push('--max-fail', `${Math.round(percent * 10) / 10}%`);
  }
  if (form.rate) {
    fields.rate = whole(form.rate);
    if (!(fields.rate >= 1 && fields.rate <= all)) return error('Rate: a whole number of letters a second.');
    options.push('--rate', fields.rate);
  }
  if (form.spread) {
    const spread = parseDuration(form.spread);
    if (!(spread >= 0 && spread <= 86400000)) return error('Spread over: a time up to 1d, such as 90s or 1h30m.');
    fields.options.spread_ms = spread;
    options.push('--spread', duration(spread, 5));
  }
  if (form.to) {
    fields.options.to = form.to;
    options.push('--to', form.to);
  }
  if (form.hold) {
    fields.options.hold_for_build = form.build;
    options.push('--hold-for-build', form.build);
  }
  if (form.deadline) {
    fields.options.keep_deadline = true;
    options.push('--keep-deadline');
  }
  return { fields, options };
}
