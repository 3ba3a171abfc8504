// Why a message is where it is, in sentences.
import { html } from '../lib/html.js';
import { inUtc } from '../lib/state.js';
import { story } from '../lib/story.js';
import { link } from '../lib/route.js';
import { Shown, Time } from './basics.js';

export function Why({ why, group }) {
  inUtc.use();
  const { steps, now, next } = story(why, group);
  return html`<div class="why">
    <p><strong>Now.</strong> <${Shown} text=${now} /></p>
    ${next && html`<p><strong>Next.</strong> <${Shown} text=${next} /></p>`}
    <ol>${steps.map((step, at) => html`<li key=${at}><span class="why-at">${step.at ? html`<${Time} ms=${step.at} only />` : ''}</span>
      <div><${Shown} text=${step.text} />${step.job && html` <a href=${link(['jobs', step.job])}>see job ${step.job}</a>`}${step.notes.map((note, each) => html`<div class="dim" key=${each}><${Shown} text=${note} /></div>`)}</div></li>`)}</ol>
  </div>`;
}
