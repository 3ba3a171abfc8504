// The stream of changes, read with fetch() so that the login goes along. It comes again by itself, behind the last change that it was told, and it always
// says how it stands: a page must not show as live what is not.
import { headers, urlOf } from './api.js';
import { eventReader } from './events.js';
import { credentials } from './login.js';
import { learnClock, now } from './time.js';

const silenceMs = 25000; // the server says something every 10 s
const waitLeastMs = 500;
const waitMostMs = 15000;

// state: `connecting` (never heard yet), `live`, `lost` (comes again at `nextTry`), `refused` (the server serves none to this user, or to nobody else now).
export class Stream {
  constructor() {
    this.listeners = new Set();
    this.watchers = new Set();
    this.state = { phase: 'connecting', since: now() };
    this.lastId = null;
    this.running = null;
  }

  // `listener(event)` of each change, also of `resync`: look at everything anew. `watch(state)` when it stands otherwise.
  listen(listener) {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  watch(watcher) {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  }

  start() {
    this.stop();
    this.running = new AbortController();
    this.lastId = null;
    this.set({ phase: 'connecting', since: now() });
    this.run(this.running.signal);
  }

  stop() {
    this.running?.abort();
    this.running = null;
  }

  // Try at once, because somebody asks.
  hurry() {
    this.wake?.();
  }

  set(state) {
    this.state = state;
    for (const watcher of this.watchers) watcher(state);
  }

  tell(event) {
    for (const listener of this.listeners) listener(event);
  }

  async run(stopped) {
    for (let failures = 0; !stopped.aborted;) {
      const ended = await this.once(stopped);
      if (stopped.aborted) return;
      if (ended.heard) failures = 0;
      if (ended.well && ended.heard) continue; // the server ends it now and then where one logs in: go on behind the last change
      const most = Math.min(waitMostMs, waitLeastMs * 2 ** Math.min(failures++, 10));
      const wait = Math.max(most * (0.5 + Math.random() / 2), ended.retryAfterMs ?? 0);
      const since = ['lost', 'refused'].includes(this.state.phase) ? this.state.since : this.heard ?? now();
      this.set({ phase: ended.refused ? 'refused' : 'lost', since, why: ended.why, nextTry: now() + wait });
      await this.rest(wait, stopped);
    }
  }

  // Until the time is over, somebody is in a hurry, or all ends.
  rest(ms, stopped) {
    return new Promise((go) => {
      const timer = setTimeout(() => this.wake(), ms);
      this.wake = () => {
        clearTimeout(timer);
        stopped.removeEventListener('abort', this.wake);
        this.wake = null;
        go();
      };
      stopped.addEventListener('abort', this.wake);
    });
  }

  // One connection, until it ends.
  async once(stopped) {
    const ours = new AbortController();
    const end = () => ours.abort();
    stopped.addEventListener('abort', end);
    let watchdog = setTimeout(end, silenceMs);
    let heard = false;
    try {
      const response = await fetch(urlOf('events'), {
        headers: { ...headers(), Accept: 'text/event-stream', ...(this.lastId && { 'Last-Event-ID': this.lastId }) },
        credentials,
        cache: 'no-store',
        signal: ours.signal,
      });
      if (!response.ok) return await refusal(response);
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      const read = eventReader((event) => {
        if (!heard) this.begun();
        heard = true;
        this.heard = now();
        this.take(event);
      });
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return { well: true, heard, why: 'the server ended it' };
        clearTimeout(watchdog);
        watchdog = setTimeout(end, silenceMs);
        read(value);
      }
    } catch (error) {
      return { heard, why: ours.signal.aborted ? 'nothing came for 25 s' : 'the connection broke' };
    } finally {
      clearTimeout(watchdog);
      stopped.removeEventListener('abort', end);
      ours.abort();
    }
  }

  // It stands: what happened while it did not is told by the server, but numbers without events have moved, too.
  begun() {
    const { phase } = this.state;
    this.set({ phase: 'live', since: now() });
    if (phase === 'lost' || phase === 'refused') this.tell({ event: 'resync' });
  }

  take(event) {
    if (event.comment !== undefined) return;
    if (event.id) this.lastId = event.id;
    const data = safely(event.data);
    if (data.time && event.event !== 'lost') learnFrom(event.event, data.time);
    this.tell({ event: event.event, data });
    if (event.event === 'lost') this.tell({ event: 'resync' });
  }
}

// Only `begin` is of this moment; a change that is told again is older.
const learnFrom = (event, time) => event === 'begin' && learnClock(time);

function safely(text) {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    return {};
  }
}

async function refusal(response) {
  const problem = safely(await response.text());
  const refused = [401, 403, 404, 503].includes(response.status) && problem.code !== 'SHUTTING_DOWN';
  return { refused, why: problem.detail ?? problem.title ?? `the server answered ${response.status}`, retryAfterMs: problem.retry_after_ms };
}
