// Another body for one dead letter, beside the one that was published.
import { useId, useState } from 'preact/hooks';
import { html } from '../lib/html.js';
import { path, post, remove } from '../lib/api.js';
import { bytesOf, fromBase64, textOf, toBase64 } from '../lib/bytes.js';
import { parseTree } from '../lib/json.js';
import { Shown } from '../parts/basics.js';
import { Ask } from '../parts/dialog.js';

// `seen`: the letter, and `original` the one as published if it was edited before, as they were when somebody began to edit. What others do to it meanwhile
// must not be taken over unseen: the server refuses an edit of another state.
export function Edit({ topic, group, seen, onClose, done }) {
  const [{ letter, original }] = useState(seen);
  const now = bytesOf(letter, 'body') ?? new Uint8Array();
  const published = original ? bytesOf(original, 'body') : now;
  const asText = textOf(now) !== null;
  const [text, setText] = useState(asText ? textOf(now) : toBase64(now));
  const [back, setBack] = useState(false);
  const id = useId();
  const where = path`topics/${topic}/groups/${group}/dlq/letters/${letter.id}/edit`;
  const act = async (reason) => {
    if (back) await remove(where, { edit: letter.edit, reason });
    else await post(where, { ...(asText ? { body: text } : { body_base64: text.trim() }), edit: letter.edit ?? 0, reason });
    done();
    return back ? 'It has the body again that it was published with.' : 'Edited: this group gets the new body when the letter goes back.';
  };
  const wrong = !asText && !isBase64(text);
  const wasJson = parseTree(textOf(published ?? now) ?? '');
  const broken = asText && wasJson && !parseTree(text);
  return html`<${Ask} title=${`Edit ${letter.origin}`} verb=${back ? 'Restore' : 'Keep this body'} act=${act} can=${back || !wrong} onClose=${onClose} wide>
    <p>This group alone gets the edited body, when the letter goes back. Other groups get what was published.</p>
    ${letter.edit && html`<label class="check"><input type="checkbox" checked=${back} onChange=${(event) => setBack(event.target.checked)} /> Give it back the body that it was published with</label>`}
    <div class="two">
      <div class="field"><label for=${id}>${asText ? 'As it will go back' : 'As it will go back, in base64: it is no text'}</label><textarea id=${id} name="body" class="code" rows="14" spellcheck=${false} disabled=${back} value=${text} onInput=${(event) => setText(event.target.value)}></textarea>
        <span class="hint" role="status">${broken ? html`<span class="bad-text">It was JSON, and is none any more.</span>` : wrong ? html`<span class="bad-text">This is no base64.</span>` : ''}</span></div>
      <div class="field"><span>As it was published</span><pre class="code beside" tabindex="0" aria-label="As it was published"><${Shown} text=${published ? (textOf(published) ?? toBase64(published)) : 'It is damaged.'} lines /></pre></div>
    </div>
  <//>`;
}

function isBase64(text) {
  try {
    fromBase64(text.trim());
    return true;
  } catch {
    return false;
  }
}
