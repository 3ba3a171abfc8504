// Bars over time, each an hour wide. Beside the picture stands a sentence for those who do not see it; each bar tells its hour and its number.
import { html } from '../lib/html.js';
import { inUtc } from '../lib/state.js';
import { count } from '../lib/number.js';
import { clockTime, zoneAt } from '../lib/time.js';

const hourMs = 3600000;
const width = 960;
const height = 160;

// `until`: when the last hour begins, in ms.
export function Hours({ values, until, label }) {
  inUtc.use();
  const most = roundUp(Math.max(...values));
  const one = width / values.length;
  const begin = (at) => until - (values.length - 1 - at) * hourMs;
  const hour = (at) => clockTime(begin(at), 0).slice(5, -3);
  const marks = [0, 0.25, 0.5, 0.75].map((share) => Math.round(share * values.length));
  return html`<figure class="hours">
    <div class="hours-most dim number"><span>${count(most)}</span><span>${zoneAt(until)}</span></div>
    <svg viewBox="0 0 ${width} ${height}" preserveAspectRatio="none" role="img" aria-label=${label}>
      <path class="grid" d=${`M0 .5H${width}M0 ${height / 2}H${width}M0 ${height - 0.5}H${width}`} />
      ${values.map((value, at) => html`<g key=${at}><title>${`${hour(at)} ${zoneAt(begin(at))}: ${count(value)}`}</title><rect class="reach" x=${at * one} y="0" width=${one} height=${height} />${value > 0 && html`<rect class="hour" x=${at * one + 1} width=${one - 2} y=${height - Math.max(2, (height * value) / most)} height=${Math.max(2, (height * value) / most)} />`}</g>`)}
    </svg>
    <div class="hours-marks dim">${marks.map((at) => html`<span class="number" key=${at}>${hour(at)}</span>`)}</div>
  </figure>`;
}

// The next number that reads well: 1, 2, 5, 10, 20, 50…
export function roundUp(value) {
  if (value <= 1) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= value);
}
