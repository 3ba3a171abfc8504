// Who is signed in: what each request sends as Authorization. It is kept for this tab alone, and never in a cookie.
import { toBase64 } from './bytes.js';

const place = 'shunt.login';
let header = read();
const listeners = new Set();

function read() {
  try {
    return sessionStorage.getItem(place) ?? '';
  } catch {
    return '';
  }
}

function set(value) {
  header = value;
  try {
    if (value) sessionStorage.setItem(place, value);
    else sessionStorage.removeItem(place);
  } catch {
    // Without a storage it is kept in memory.
  }
  for (const listener of listeners) listener();
}

export const byPassword = (user, password) => set('Basic ' + toBase64(new TextEncoder().encode(`${user}:${password}`)));
export const byToken = (token) => set(`Bearer ${token.trim()}`);
export const signOut = () => set('');
export const isSignedIn = () => header !== '';
export const authorization = () => (header ? { Authorization: header } : {});
export const credentials = 'same-origin'; // or the browser would not show the certificate that the server may want; there are no cookies

// Told when somebody signs in or out; returns what ends that.
export function onLogin(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
