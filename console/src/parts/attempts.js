// Every attempt at a message: a picture in time, and what each came to.
import { html } from '../lib/html.js';
import { plural } from '../lib/number.js';
import { link } from '../lib/route.js';
import { outcomeText } from '../lib/story.js';
import { duration, fullTime } from '../lib/time.js';
import { Badge, Duration, Fault, Shown, Time } from './basics.js';

const kinds = { nacked: 'bad', rejected: 'bad', lease_expired: 'bad', disconnected: 'bad', suspected: 'bad', ttl_expired: 'bad', deadline_exceeded: 'bad', outage: 'warn' };
export const outcomeKind = (row) => (row.charged || row.outcome === 'rejected' ? (kinds[row.outcome] ?? 'bad') : (kinds[row.outcome] && row.outcome !== 'nacked' ? 'warn' : 'info'));

// `begin`, `end`: times between which the picture lies; `died`: marked, if given.
function Picture({ history, begin, end, died }) {
  const span = Math.max(1, end - begin);
  const x = (ms) => Math.min(998, Math.max(0, (1000 * (ms - begin)) / span));
  return html`<svg class="picture" viewBox="0 0 1000 40" preserveAspectRatio="none" role="img" aria-label=${`${plural(history.length, 'attempt')} in ${duration(span)}`}>
    <path class="axis" d="M0 20H1000" />
    ${history.map((row) => html`<rect key=${row.number} class=${outcomeKind(row)} x=${x(row.leased ?? row.ended)} y="6" height="28" width=${Math.max(4, x(row.ended) - x(row.leased ?? row.ended))}><title>${`attempt ${row.number}: ${outcomeText(row.outcome)}, ${fullTime(row.ended)}`}</title></rect>`)}
    ${died && html`<path class="died" d=${`M${x(died)} 0V40`} />`}
  </svg>`;
}

export function Attempts({ history, published, died, until }) {
  if (!history.length) return html`<p class="empty">No attempt is kept.</p>`;
  const end = until ?? died ?? history.at(-1).ended;
  let generation = history[0].generation;
  return html`<div class="attempts">
    <${Picture} history=${history} begin=${published ?? history[0].leased ?? history[0].ended} end=${end} died=${died} />
    <div class="picture-ends dim"><span>published <${Time} ms=${published} only /></span><span>${died ? 'died' : 'last attempt'} <${Time} ms=${end} only /></span></div>
    <ol>${history.map((row, at) => {
      const redriven = row.generation !== generation;
      generation = row.generation;
      const gap = at && row.leased ? row.leased - history[at - 1].ended : 0;
      return html`${redriven && html`<li class="between" key=${`g${row.generation}`}><${Badge} kind="info">redriven<//> ${row.job ? html`by <a href=${link(['jobs', row.job])}>job ${row.job}</a>` : ''}: generation ${row.generation} begins</li>`}
        ${!redriven && gap >= 1000 && html`<li class="between dim" key=${`w${row.number}`}>waited ${duration(gap)}</li>`}
        <${Attempt} key=${row.number} row=${row} last=${at === history.length - 1} />`;
    })}</ol>
  </div>`;
}

export function Attempt({ row, last = false }) {
  return html`<li class="attempt">
    <div class="attempt-head"><span class="number strong">#${row.number ?? 1}</span> <${Badge} kind=${outcomeKind(row)}>${outcomeText(row.outcome)}<//>
      ${!row.charged && html`<span class="dim">not charged</span>`}
      <span><${Time} ms=${row.leased ?? row.ended} /></span>
      ${row.leased && html`<span>took <${Duration} ms=${row.ended - row.leased} /></span>`}
      ${row.leased && !row.started && html`<span class="dim">no handler had begun</span>`}</div>
    <div class="attempt-who">${row.consumer || row.host ? html`<${Shown} text=${row.consumer ?? 'a consumer without a name'} />${row.host && html`${' '}on <${Shown} text=${row.host} />`}` : html`<span class="dim">no consumer held it</span>`}${row.build && html`, build <code><${Shown} text=${row.build} /></code>`}</div>
    ${(row.error_type || row.error_message) && html`<p class="error"><${Fault} type=${row.error_type} message=${row.error_message} lines /></p>`}
    ${row.error_stack && html`<details open=${last}><summary>Stack</summary><pre tabindex="0" aria-label="Stack"><${Shown} text=${row.error_stack} lines /></pre></details>`}
  </li>`;
}
