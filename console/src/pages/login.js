// Who are you? Shown where the server wants to know.
import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { html } from '../lib/html.js';
import { byPassword, byToken } from '../lib/login.js';
import { Shown } from '../parts/basics.js';

// `said`: why the last try was refused.
export function Login({ said, onTry }) {
  const [way, setWay] = useState('password');
  const [form, setForm] = useState({ user: '', password: '', token: '' });
  const first = useRef(null);
  const id = useId();
  useEffect(() => first.current?.focus(), [way]);
  const change = (name) => (event) => setForm({ ...form, [name]: event.target.value });
  const submit = (event) => {
    event.preventDefault();
    if (way === 'token') byToken(form.token);
    else byPassword(form.user, form.password);
    onTry();
  };
  const field = (name, label, more) => html`<div class="field"><label for=${id + name}>${label}</label><input id=${id + name} name=${name} required value=${form[name]} onInput=${change(name)} ...${more} /></div>`;
  return html`<section class="login"><h1>Sign in</h1>
    <p>This broker wants to know who you are. What you give is kept for this tab alone.</p>
    <div role="group" aria-label="How" class="choice">${[['password', 'Password'], ['token', 'Token']].map(([name, text]) => html`<button type="button" key=${name} aria-pressed=${way === name} onClick=${() => setWay(name)}>${text}</button>`)}</div>
    <form onSubmit=${submit} key=${way}>
      ${way === 'password' ? html`${field('user', 'User', { ref: first, autocomplete: 'username', autocapitalize: 'off', spellcheck: false })}${field('password', 'Password', { type: 'password', autocomplete: 'current-password' })}` : field('token', 'Token', { ref: first, type: 'password', autocomplete: 'off', placeholder: 'shunt_…' })}
      ${said && html`<p class="problem" role="alert"><${Shown} text=${said} /></p>`}
      <footer><button class="primary">Sign in</button></footer>
    </form></section>`;
}
