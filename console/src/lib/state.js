// What all pages share: the stream, who looks, and what is said about acts.
import { useEffect, useReducer, useState } from 'preact/hooks';
import { Stream } from './stream.js';

export const stream = new Stream();

// A value that components follow.
export function shared(initial) {
  let value = initial;
  const followers = new Set();
  return {
    get: () => value,
    set(next) {
      value = next;
      for (const follower of followers) follower(next);
    },
    use() {
      const [, again] = useReducer((times) => times + 1, 0);
      useEffect(() => {
        followers.add(again);
        return () => followers.delete(again);
      }, []);
      return value;
    },
  };
}

export const who = shared(null); // whoami
export const server = shared(null); // the last numbers of the server
export const notices = shared([]); // what acts led to: { id, text, link, bad }

let last = 0;

export function notice(text, more = {}) {
  notices.set([...notices.get().slice(-3), { id: ++last, text, ...more }]);
}

export const dismiss = (id) => notices.set(notices.get().filter((each) => each.id !== id));

export function useStream() {
  const [state, set] = useState(stream.state);
  useEffect(() => {
    set(stream.state);
    return stream.watch(set);
  }, []);
  return state;
}

// Choices of this browser; none of them is needed.
export function remembered(name, initial) {
  const place = `shunt.${name}`;
  const read = () => {
    try {
      return JSON.parse(localStorage.getItem(place)) ?? initial;
    } catch {
      return initial;
    }
  };
  const held = shared(read());
  return {
    ...held,
    set(value) {
      held.set(value);
      try {
        localStorage.setItem(place, JSON.stringify(value));
      } catch {
        // It is remembered until the page is closed.
      }
    },
  };
}

export const inUtc = remembered('utc', false);
export const shortcuts = remembered('shortcuts', true);
