// The frame around every page: where one can go, how live it is, who one is; and what is shown if something in a page fails.
import { Component } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { html } from './lib/html.js';
import { get, onSignInNeeded } from './lib/api.js';
import { useLive, useTick } from './lib/live.js';
import { isSignedIn, onLogin, signOut } from './lib/login.js';
import { go, messageLink, parseRoute, queueLink } from './lib/route.js';
import { plural } from './lib/number.js';
import { dismiss, inUtc, notices, server, shortcuts, stream, useStream, who } from './lib/state.js';
import { age, clockTime, duration, now, showUtc, zoneAt } from './lib/time.js';
import { Problem, Shown } from './parts/basics.js';
import { Dialog } from './parts/dialog.js';
import { Audit } from './pages/audit.js';
import { Cause } from './pages/cause.js';
import { Consumers } from './pages/consumers.js';
import { Job, Jobs } from './pages/jobs.js';
import { Letter } from './pages/letter.js';
import { Login } from './pages/login.js';
import { Message } from './pages/message.js';
import { Overview } from './pages/overview.js';
import { Queue } from './pages/queue.js';
import { TopicSettings } from './pages/settings.js';

const places = [['', 'Overview', 'o'], ['jobs', 'Jobs', 'j'], ['consumers', 'Consumers', 'c'], ['audit', 'Audit', 'a']];

export function App() {
  const [door, setDoor] = useState({ open: false, asked: false, said: null, problem: null });
  const me = who.use();
  showUtc(inUtc.use());

  const enter = async () => {
    try {
      who.set(await get('whoami'));
      setDoor({ open: true, asked: false, said: null, problem: null });
      stream.start();
    } catch (problem) {
      stream.stop();
      setDoor({ open: false, asked: problem.status === 401, said: isSignedIn() ? problem.message : null, problem: problem.status === 401 ? null : problem });
    }
  };
  useEffect(() => {
    onSignInNeeded(() => setDoor((before) => (before.open ? { open: false, asked: true, said: 'You were signed out: the password, the token or its time has ended.', problem: null } : before)));
    enter();
    return onLogin(() => stream.stop());
  }, []);

  if (!door.open) return html`<main class="door">${door.asked ? html`<${Login} said=${door.said} onTry=${enter} />` : door.problem ? html`<h1>shunt</h1><${Problem} problem=${door.problem} retry=${enter} />` : html`<p class="waiting" role="status">Connecting…</p>`}</main>`;
  return html`<${Frame} me=${me} leave=${() => { signOut(); enter(); }} />`;
}

// Where one is, as the address says.
function useRoute() {
  const [route, set] = useState(() => parseRoute(location.hash));
  useEffect(() => {
    const changed = () => set(parseRoute(location.hash));
    addEventListener('hashchange', changed);
    return () => removeEventListener('hashchange', changed);
  }, []);
  return route;
}

function Frame({ me, leave }) {
  const route = useRoute();
  const live = useStream();
  const main = useRef(null);
  const [help, setHelp] = useState(false);
  const find = useRef(null);
  const first = useRef(true);
  const here = route.names.join('/');
  useKeys(find, () => setHelp(true));
  useEffect(() => {
    if (!first.current) { // the main part, which stays while its page changes
      main.current.focus({ preventScroll: true });
      scrollTo(0, 0);
    }
    first.current = false;
  }, [here]);
  useEffect(() => { document.title = `${titleOf(route.names)} – shunt`; }, [here]);
  return html`<a class="skip" href="#main" onClick=${(event) => { event.preventDefault(); main.current.focus(); }}>To the page</a>
    <header class="top">
      <a class="brand" href="#/" aria-label="shunt: overview"><img src="icon.svg" alt="" width="24" height="24" />shunt</a>
      <nav aria-label="Pages">${places.map(([name, title]) => html`<a key=${name} href=${`#/${name}`} aria-current=${(route.names[0] ?? '') === name ? 'page' : undefined}>${title}</a>`)}</nav>
      <${Find} input=${find} />
      <${Liveness} state=${live} />
      <div class="me"><button type="button" class="small" aria-pressed=${inUtc.get()} onClick=${() => inUtc.set(!inUtc.get())} title="Show times as UTC, or in the zone of this machine">${zoneAt(now())}</button>
        ${me.user ? html`<span class="who" title=${(me.roles ?? []).join(', ')}><${Shown} text=${me.user} /></span>${me.how !== 'certificate' && html`<button type="button" class="small" onClick=${leave}>Sign out</button>`}` : ''}
        <button type="button" class="small" aria-label="Help and keys" onClick=${() => setHelp(true)}>?</button></div>
    </header>
    <${Lost} state=${live} />
    <main id="main" ref=${main} tabindex="-1" aria-label=${titleOf(route.names)} data-stale=${live.phase === 'lost' ? 'yes' : undefined}><${Guard} key=${pageKey(route.names)}><${Page} route=${route} /><//></main>
    <${Notices} /><${Foot} />
    ${help && html`<${Help} onClose=${() => setHelp(false)} />`}`;
}

// Pages of one queue share their head.
const pageKey = (names) => (names[0] === 'q' && names[3] !== 'cause' && names[3] !== 'letter' ? names.slice(0, 3) : names).join('/');

function titleOf([page, ...rest]) {
  if (page === 'q') return rest[2] === 'cause' ? `Cause in ${rest[0]} / ${rest[1]}` : rest[2] === 'letter' ? `Letter of ${rest[0]} / ${rest[1]}` : `${rest[0]} / ${rest[1]}`;
  if (page === 'm') return `${rest[0]}/${rest[1]}`;
  if (page === 'jobs' && rest[0]) return `Job ${rest[0]}`;
  if (page === 'settings') return `Settings of ${rest[0]}`;
  return places.find(([name]) => name === (page ?? ''))?.[1] ?? 'Not there';
}

function Page({ route: { names, query } }) {
  const [page = '', ...rest] = names;
  if (page === 'q' && rest.length >= 2) {
    const [topic, group, tab, name] = rest;
    if (tab === 'cause' && name) return html`<${Cause} topic=${topic} group=${group} name=${name} />`;
    if (tab === 'letter' && name) return html`<${Letter} topic=${topic} group=${group} name=${name} />`;
    return html`<${Queue} topic=${topic} group=${group} tab=${tab} query=${query} />`;
  }
  if (page === 'm' && rest.length === 2) return html`<${Message} topic=${rest[0]} seq=${rest[1]} />`;
  if (page === 'jobs') return rest[0] ? html`<${Job} number=${rest[0]} />` : html`<${Jobs} />`;
  if (page === 'consumers') return html`<${Consumers} />`;
  if (page === 'audit') return html`<${Audit} />`;
  if (page === 'settings' && rest[0]) return html`<${TopicSettings} topic=${rest[0]} />`;
  if (page === '') return html`<${Overview} />`;
  return html`<h1 tabindex="-1">There is no such page</h1><p><a href="#/">Go to the overview</a></p>`;
}

// Go to a message, a dead letter, a job or a queue by its name.
function Find({ input }) {
  const [text, setText] = useState('');
  const [wrong, setWrong] = useState(false);
  const submit = (event) => {
    event.preventDefault();
    const name = text.trim();
    const job = /^job\s*(\d+)$/i.exec(name);
    const queue = /^([\w.-]+)(?:\s*\/\s*([A-Za-z_][\w.-]*))?$/.exec(name);
    const to = job ? `#/jobs/${job[1]}` : messageLink(name) ?? (queue && queueLink(queue[1], queue[2] ?? 'default'));
    setWrong(!to);
    if (!to) return;
    setText('');
    go(to);
  };
  return html`<form class="find" role="search" onSubmit=${submit}><input ref=${input} type="search" aria-label="Go to a message, a letter, a job or a queue" aria-invalid=${wrong ? 'true' : undefined} placeholder="orders/17, job 3, orders" value=${text} onInput=${(event) => { setText(event.target.value); setWrong(false); }} /></form>`;
}

// How live the page is, by word and sign.
function Liveness({ state }) {
  const [sign, word] = { live: ['●', 'Live'], connecting: ['○', 'Connecting'], lost: ['▲', 'Lost'], refused: ['◆', 'Polling'] }[state.phase];
  return html`<span class=${`liveness ${state.phase}`} role="status"><span aria-hidden="true">${sign}</span> ${word}</span>`;
}

// No lies: while the stream is lost, the page says since when it shows what was.
function Lost({ state }) {
  useTick();
  if (state.phase !== 'lost' && state.phase !== 'refused') return null;
  const again = state.nextTry > now() ? `Trying again in ${duration(Math.max(1000, Math.ceil((state.nextTry - now()) / 1000) * 1000))}.` : 'Trying again.';
  return html`<div class=${`lost ${state.phase}`}>
    <span role="alert">${state.phase === 'lost' ? html`<strong>Not live since ${clockTime(state.since)} ${zoneAt(state.since)}.</strong> What you see may be from then` : html`<strong>No live stream.</strong> <${Shown} text=${state.why} />; numbers are fetched every few seconds instead`}.</span>
    <span class="number">${state.phase === 'lost' && html`That is ${age(now() - state.since)} ago. `}${again}</span> <button type="button" class="small" onClick=${() => stream.hurry()}>Try now</button></div>`;
}

function Notices() {
  const all = notices.use();
  return html`<div class="notices" role="status" aria-live="polite">${all.map((each) => html`<div key=${each.id} class=${`notice${each.bad ? ' bad' : ''}`}><span><${Shown} text=${each.text} lines /></span><button type="button" class="plain" aria-label="Close this message" onClick=${() => dismiss(each.id)}>✕</button></div>`)}</div>`;
}

function Foot() {
  useLive(async (signal) => server.set(await get('stats', {}, signal)), [], { every: 15000 });
  const stats = server.use();
  return html`<footer class="foot">${stats ? html`<span><${Shown} text=${stats.server} /></span><span>up for ${duration(stats.uptime_ms)}</span><span>${plural(stats.connections, 'connection')}</span>${Math.abs(stats.clock_error_ms) >= 60000 && html`<span class="bad-text">times that are shown are ${duration(Math.abs(stats.clock_error_ms))} ${stats.clock_error_ms > 0 ? 'ahead of' : 'behind'} the machine’s clock</span>`}` : html`<span>shunt</span>`}</footer>`;
}

// Keys, unless somebody types, or has turned them off.
function useKeys(find, help) {
  useEffect(() => {
    let before = '';
    const pressed = (event) => {
      const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName) || document.querySelector('dialog[open]');
      if (!shortcuts.get() || typing || event.ctrlKey || event.metaKey || event.altKey) return;
      const place = before === 'g' && places.find(([, , key]) => key === event.key);
      before = event.key;
      if (place) go(`#/${place[0]}`);
      else if (event.key === '/') find.current.focus();
      else if (event.key === '?') help();
      else return;
      event.preventDefault();
    };
    addEventListener('keydown', pressed);
    return () => removeEventListener('keydown', pressed);
  }, []);
}

function Help({ onClose }) {
  const on = shortcuts.use();
  return html`<${Dialog} title="Help" onClose=${onClose}>
    <table class="keys"><tbody>${[['/', 'go to a message, a letter, a job or a queue'], ...places.map(([, title, key]) => [`g ${key}`, title]), ['↑ ↓', 'from letter to letter, in a list of letters'], ['Esc', 'close a dialog'], ['?', 'this help']].map(([key, text]) => html`<tr key=${key}><th scope="row"><kbd>${key}</kbd></th><td>${text}</td></tr>`)}</tbody></table>
    <label class="check"><input type="checkbox" checked=${on} onChange=${(event) => shortcuts.set(event.target.checked)} /> Single keys do this</label>
    <p class="dim">Everything here is a call of the HTTP API, so a script can do it as well. Characters that would hide or reorder text are shown as <span class="code-point">U+202E</span>.</p>
  <//>`;
}

// A fault in one page leaves the frame standing.
class Guard extends Component {
  componentDidCatch(fault) {
    console.error(fault);
    this.setState({ fault });
  }

  render({ children }, { fault }) {
    if (!fault) return children;
    return html`<h1 tabindex="-1">This page failed</h1><p class="problem" role="alert">A fault of the console: <${Shown} text=${String(fault)} />. The broker is not concerned.</p><button type="button" onClick=${() => this.setState({ fault: null })}>Try again</button>`;
  }
}
