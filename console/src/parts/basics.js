// Small pieces: text from outside, times, numbers, marks of a state.
import { html } from '../lib/html.js';
import { useTick } from '../lib/live.js';
import { inUtc } from '../lib/state.js';
import { visible, visibleParts } from '../lib/text.js';
import { age, clockTime, duration, fullTime, isoTime, now, zoneAt } from '../lib/time.js';
import { count } from '../lib/number.js';

// Text that came from outside: data, set apart in direction, with characters that hide or reorder shown by their numbers.
export function Shown({ text, lines = false, title }) {
  if (text === null || text === undefined) return html`<span class="none">–</span>`;
  const parts = visibleParts(String(text), lines);
  return html`<bdi title=${title && visible(title)}>${parts.map((part) => (part.code ? html`<span class="code-point" title="a character that cannot be seen">${part.code}</span>` : part.text))}</bdi>`;
}

// A point in time with its zone and its age.
export function Time({ ms, only }) {
  inUtc.use();
  if (ms === null || ms === undefined) return html`<span class="none">–</span>`;
  return html`<span class="time"><time datetime=${isoTime(ms)} title=${fullTime(ms)}>${clockTime(ms)}${' '}<span class="zone">${zoneAt(ms)}</span></time>${!only && html`${' '}<${Age} ms=${ms} words />`}</span>`;
}

// How long ago, counting on. `words`: `2h18m ago`, or `in 5m`.
export function Age({ ms, words = false }) {
  useTick();
  if (ms === null || ms === undefined) return html`<span class="none">–</span>`;
  const since = now() - ms;
  const text = since < -999 ? `in ${age(-since)}` : words ? `${age(since)} ago` : age(since);
  return html`<span class="age number" title=${fullTime(ms)}>${text}</span>`;
}

export const Duration = ({ ms }) => (ms === null || ms === undefined ? html`<span class="none">–</span>` : html`<span class="number">${duration(ms)}</span>`);

// A count; nothing is faint.
export const Count = ({ of, strong }) => html`<span class=${`number${of ? '' : ' zero'}${strong && of ? ' strong' : ''}`}>${count(of ?? 0)}</span>`;

const signs = { bad: '▲', warn: '◆', good: '●', info: '■', mute: '○' };

// A state, told by word, sign and colour.
export const Badge = ({ kind = 'mute', children, title }) => html`<span class=${`badge ${kind}`} title=${title}><span aria-hidden="true">${signs[kind]}</span> ${children}</span>`;

export function Problem({ problem, at, retry }) {
  if (!problem) return null;
  return html`<div class="problem" role="alert">
    <strong>${problem.status === 403 ? 'Not permitted.' : problem.status === 404 ? 'Not there.' : 'This could not be fetched.'}</strong>${' '}
    <${Shown} text=${problem.message} />${problem.hint && problem.status !== 404 && html`${' '}<span class="dim"><${Shown} text=${problem.hint} /></span>`}
    ${at && html`${' '}What you see is from <${Time} ms=${at} />.`}
    ${retry && html`${' '}<button type="button" onClick=${retry}>Try again</button>`}
  </div>`;
}

// Until the first answer is there.
export const Waiting = ({ live }) => (live.problem ? html`<${Problem} problem=${live.problem} retry=${live.refresh} />` : html`<p class="waiting" role="status">Fetching…</p>`);

export const Fact = ({ name, children }) => html`<div class="fact"><dt>${name}</dt><dd>${children}</dd></div>`;
export const Facts = ({ children }) => html`<dl class="facts">${children}</dl>`;

// What went wrong. Many messages begin with their type: it is said once.
export function Fault({ type, message, lines }) {
  const rest = type && message?.startsWith(`${type}:`) ? message.slice(type.length + 1).trimStart() : message;
  return html`<strong><${Shown} text=${type ?? ''} /></strong>${rest && html`${type && ' '}<${Shown} text=${rest} lines=${lines} />`}`;
}
