// A table, which becomes a list of cards where the window is narrow. Its roles are written out, because styles that make cards of rows take them away.
import { html } from '../lib/html.js';

// `columns`: { head, cell(row), number?, main?, hint? }; `main`: what the row is called. Rows have keys, so one that moves stays the same row.
export function Table({ label, columns, rows, keyOf, kindOf, empty }) {
  if (!rows.length) return html`<p class="empty">${empty}</p>`;
  return html`<div class="table-box">
    <table role="table" aria-label=${label}>
      <thead role="rowgroup">
        <tr role="row">${columns.map((column) => html`<th role="columnheader" scope="col" key=${column.head} class=${classOf(column)} title=${column.hint}>${column.head}</th>`)}</tr>
      </thead>
      <tbody role="rowgroup">
        ${rows.map((row) => html`<tr role="row" key=${keyOf(row)} class=${kindOf?.(row) ?? ''}>
          ${columns.map((column) => html`<td role=${column.main ? 'rowheader' : 'cell'} key=${column.head} class=${classOf(column)} data-head=${column.head}>${column.cell(row)}</td>`)}
        </tr>`)}
      </tbody>
    </table>
  </div>`;
}

const classOf = (column) => [column.number && 'right', column.main && 'main', column.wide && 'wide', column.fit && 'fit'].filter(Boolean).join(' ');
