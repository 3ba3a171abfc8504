// Data that stays up to date: fetched at once, when a change that matters is told, now and then while somebody looks, and anew when the stream comes back.
import { useCallback, useEffect, useReducer, useRef, useState } from 'preact/hooks';
import { stream } from './state.js';
import { now } from './time.js';

const gapMs = 400; // between two fetches that changes ask for

// { data, problem, at, refresh }: `data` null until the first answer; with `problem`, data is of `at`, the time of the last good answer. `load(signal)` is
// called anew when one of `deps` is another one; `when(event)` says which changes matter; `every` (ms, 0: never) is how often it is asked without any.
export function useLive(load, deps, { every = 5000, when = () => false } = {}) {
  const [result, set] = useState({ data: null, problem: null, at: null });
  const latest = useRef(load);
  const asked = useRef(() => {});
  latest.current = load;

  useEffect(() => {
    const ended = new AbortController();
    let running = false;
    let again = false;
    let timer = 0;
    const later = (ms) => {
      clearTimeout(timer);
      if (!ended.signal.aborted) timer = setTimeout(refresh, ms);
    };

    async function refresh() {
      if (running) {
        again = true;
        return;
      }
      running = true;
      again = false;
      try {
        const data = await latest.current(ended.signal);
        if (!ended.signal.aborted) set({ data, problem: null, at: now() });
      } catch (problem) {
        if (!ended.signal.aborted) set((before) => ({ ...before, problem }));
      }
      running = false;
      if (again) later(gapMs);
      else if (every && !document.hidden) later(every);
    }

    const seen = () => !document.hidden && refresh();
    const stopListening = stream.listen((event) => {
      if (event.event !== 'resync' && !when(event)) return;
      if (running) again = true;
      else later(event.event === 'resync' ? 0 : gapMs);
    });
    document.addEventListener('visibilitychange', seen);
    asked.current = refresh;
    set({ data: null, problem: null, at: null });
    refresh();
    return () => {
      ended.abort();
      clearTimeout(timer);
      stopListening();
      document.removeEventListener('visibilitychange', seen);
    };
  }, deps);

  const refresh = useCallback(() => asked.current(), []);
  return { ...result, refresh };
}

// Changes of one queue.
export const ofQueue = (topic, group) => ({ data }) => data?.topic === topic && (!data.group || data.group === group);

// ---- the passing of time ----

const tickers = new Set();

setInterval(() => {
  if (!document.hidden) for (const ticker of tickers) ticker();
}, 1000);

// Draw again each second.
export function useTick() {
  const [, again] = useReducer((times) => times + 1, 0);
  useEffect(() => {
    tickers.add(again);
    return () => tickers.delete(again);
  }, []);
}
