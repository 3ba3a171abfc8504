// Dialogs: the browser's own, which keep the focus inside, end with Escape and give the focus back.
import { useId, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { html } from '../lib/html.js';
import { notice } from '../lib/state.js';
import { Problem, Shown } from './basics.js';

export function Dialog({ title, onClose, wide, children }) {
  const box = useRef(null);
  const id = useId();
  useLayoutEffect(() => { // at once: the focus is never nowhere
    const dialog = box.current, before = document.activeElement;
    dialog.showModal();
    return () => {
      dialog.close(); // while it is open, nothing beside it takes the focus
      if (before?.isConnected) before.focus();
    };
  }, []);
  const cancel = (event) => {
    event.preventDefault();
    onClose();
  };
  return html`<dialog ref=${box} class=${wide ? 'wide' : ''} aria-labelledby=${id} onCancel=${cancel}>
    <header><h2 id=${id}>${title}</h2><button type="button" class="plain" aria-label="Close" onClick=${onClose}>✕</button></header>
    ${children}
  </dialog>`;
}

let lastReason = ''; // of this page's life: several acts often have one reason

export const reasonGiven = (reason) => { lastReason = reason; };

// Why: what the audit log keeps of an act.
export function Reason({ value, onInput }) {
  const id = useId();
  return html`<div class="field">
    <label for=${id}>Reason <span class="dim">(kept in the audit log)</span></label>
    <input id=${id} name="reason" required maxlength="250" autocomplete="off" placeholder="INC-4711: the supplier is back" value=${value} onInput=${(event) => onInput(event.target.value)} />
  </div>`;
}

export const useReason = () => useState(lastReason);

// Asks before an act. `act(reason)` does it and returns what to say; `word`: what has to be typed, for what cannot be taken back; `can` false: not yet.
export function Ask({ title, verb, danger, word, act, onClose, wide, can = true, children }) {
  const [reason, setReason] = useReason();
  const [typed, setTyped] = useState('');
  const [state, set] = useState({ busy: false, problem: null });
  const id = useId();
  const submit = async (event) => {
    event.preventDefault();
    set({ busy: true, problem: null });
    try {
      const said = await act(reason.trim());
      reasonGiven(reason);
      if (said) notice(said.text ?? said, said.more);
      onClose();
    } catch (problem) {
      set({ busy: false, problem });
    }
  };
  const ready = can && reason.trim() && (!word || typed === word) && !state.busy;
  return html`<${Dialog} title=${title} onClose=${onClose} wide=${wide}>
    <form onSubmit=${submit}>
      ${children}
      ${word && html`<div class="field"><label for=${id}>Type <strong><${Shown} text=${word} /></strong> to say that you mean it</label>
        <input id=${id} name="word" autocomplete="off" spellcheck=${false} value=${typed} onInput=${(event) => setTyped(event.target.value)} /></div>`}
      <${Reason} value=${reason} onInput=${setReason} />
      <${Problem} problem=${state.problem} />
      <footer><span class="hint grow" role="status">${can && !reason.trim() ? 'Say why: a reason is missing.' : ''}</span><button type="button" onClick=${onClose}>Cancel</button><button class=${danger ? 'danger' : 'primary'} disabled=${!ready}>${state.busy ? 'Asking…' : verb}</button></footer>
    </form>
  <//>`;
}

// A button whose dialog is shown while it is open: `dialog(close)`.
export function Opens({ children, dialog, className = '', label }) {
  const [open, set] = useState(false);
  return html`<button type="button" class=${className} aria-haspopup="dialog" aria-label=${label} onClick=${() => set(true)}>${children}</button>${open && dialog(() => set(false))}`;
}
