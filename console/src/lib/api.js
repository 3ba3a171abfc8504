// The calls of the HTTP API. A call that fails throws a Problem.
import { authorization, credentials } from './login.js';
import { learnClock } from './time.js';

const root = new URL('../api/v1/', location.href.split('#')[0]);
const callsMost = 6; // at a time, of the 16 that the server takes from everybody
const patienceMs = 15000;
let signInNeeded = () => {};

// What was refused, or did not come to an end.
export class Problem extends Error {
  constructor({ status = 0, code = 'DISCONNECTED', title = 'no answer', detail = '', hint = '', retry = false, retry_after_ms = 0 }) {
    super(detail || title);
    Object.assign(this, { status, code, title, detail, hint, retry, retryAfterMs: retry_after_ms });
  }
}

// Called when the server wants a login.
export const onSignInNeeded = (listener) => { signInNeeded = listener; };

// A path whose names are encoded: path`topics/${topic}`.
export function path(strings, ...names) {
  return strings.reduce((whole, part, at) => whole + part + (at < names.length ? encodeURIComponent(names[at]) : ''), '');
}

export function urlOf(to, query = {}) {
  const url = new URL(to, root);
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== '') url.searchParams.append(name, value);
  }
  return url;
}

export const get = (to, query, signal) => call('GET', to, { query, signal });
export const post = (to, body = {}) => call('POST', to, { body });
export const patch = (to, body) => call('PATCH', to, { body });
export const remove = (to, query) => call('DELETE', to, { query });

// ---- one call ----

let under = 0;
const waiting = [];

async function call(method, to, { query, body, signal }) {
  await turn();
  try {
    for (let tries = 1; ; tries++) {
      try {
        return await send(method, urlOf(to, query), body, signal);
      } catch (problem) {
        const again = method === 'GET' && problem.retry && problem.status && tries < 4;
        if (!again) throw problem;
        await pause(Math.max(problem.retryAfterMs, 200 * 2 ** tries) * (0.5 + Math.random()));
      }
    }
  } finally {
    under--;
    waiting.shift()?.();
  }
}

async function turn() {
  while (under >= callsMost) await new Promise((go) => waiting.push(go));
  under++;
}

export const pause = (ms) => new Promise((go) => setTimeout(go, ms));

// What every request of the page has.
export const headers = () => ({ 'X-Requested-With': 'shunt-console', ...authorization() });

async function send(method, url, body, signal) {
  const patience = AbortSignal.timeout(patienceMs);
  const writes = method !== 'GET';
  let response;
  let text;
  try {
    response = await fetch(url, {
      method,
      credentials,
      cache: 'no-store',
      signal: signal ? AbortSignal.any([signal, patience]) : patience,
      headers: { ...headers(), ...(writes && { 'Content-Type': 'application/json' }) },
      body: body && JSON.stringify(body),
    });
    text = await response.text();
  } catch (error) {
    if (signal?.aborted) throw error;
    const unknown = writes ? 'Whether the act took effect is not known: look before you try again.' : '';
    throw new Problem({ title: 'the server does not answer', detail: `The server does not answer. ${unknown}`.trim(), retry: true });
  }
  const date = Date.parse(response.headers.get('Date') ?? '');
  if (date) learnClock(date, false);
  const answer = read(text);
  if (response.ok && answer) return answer;
  if (response.status === 401) signInNeeded();
  throw new Problem({ title: response.statusText, ...answer, status: response.status, code: answer?.code ?? `HTTP_${response.status}` });
}

function read(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

// All rows of a listing, page after page; `page` is told of each and may stop it by returning false.
export async function eachPage(to, query, page, signal) {
  for (let after = query?.after; ;) {
    const answer = await get(to, { ...query, after }, signal);
    if (page(answer) === false || !answer.more) return;
    after = answer.next;
  }
}
