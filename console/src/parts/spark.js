// A line of numbers the size of a word.
import { html } from '../lib/html.js';

const width = 120;
const height = 24;

export function Spark({ values, label, bars = false }) {
  if (!values?.length || values.every((value) => !value)) return html`<span class="none">–</span>`;
  const most = Math.max(...values);
  const x = (at) => (at * width) / Math.max(1, values.length - (bars ? 0 : 1));
  const y = (value) => height - 1 - ((height - 3) * value) / most;
  const one = width / values.length;
  return html`<svg class="spark" viewBox="0 0 ${width} ${height}" width=${width} height=${height} role="img" aria-label=${label} preserveAspectRatio="none">
    ${bars
      ? html`<path class="fill" d=${values.map((value, at) => value && `M${x(at).toFixed(1)} ${height}V${y(value).toFixed(1)}h${Math.max(1, one - 0.6).toFixed(1)}V${height}z`).filter(Boolean).join('')} />`
      : html`<path class="area" d=${`M0 ${height}${values.map((value, at) => `L${x(at).toFixed(1)} ${y(value).toFixed(1)}`).join('')}L${width} ${height}z`} /><path class="line" d=${values.map((value, at) => `${at ? 'L' : 'M'}${x(at).toFixed(1)} ${y(value).toFixed(1)}`).join('')} />`}
  </svg>`;
}
