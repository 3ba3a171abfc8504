// The letters of a queue, or of a filter, however many: a window onto a list of rows of one height, fetched by cursor as one scrolls.
import { useEffect, useLayoutEffect, useReducer, useRef, useState } from 'preact/hooks';
import { html } from '../lib/html.js';
import { get, path } from '../lib/api.js';
import { filterQuery } from '../lib/filter.js';
import { ofQueue } from '../lib/live.js';
import { count, plural } from '../lib/number.js';
import { Pages } from '../lib/pages.js';
import { queueLink } from '../lib/route.js';
import { stream } from '../lib/state.js';
import { cut } from '../lib/text.js';
import { Badge, Fault, Problem, Shown, Time } from './basics.js';

const firstRows = 200; // soon there
const moreRows = 1000; // for those who scroll on
const beyond = 8; // rows drawn above and below what is seen
const narrow = matchMedia('(max-width: 760px)');

// `selected`: a set of ids, changed by `onSelect(next)`; without it nothing can be chosen.
export function Letters({ topic, group, filter, selected, onSelect }) {
  const box = useRef(null);
  const [, draw] = useReducer((times) => times + 1, 0);
  const [view, setView] = useState({ top: 0, height: 600 });
  const [problem, setProblem] = useState(null);
  const [rowHeight, setRowHeight] = useState(narrow.matches ? 84 : 40);
  const held = useRef(null);
  const filterName = JSON.stringify(filter);
  const from = Math.max(0, Math.floor(view.top / rowHeight) - beyond);
  const to = Math.ceil((view.top + view.height) / rowHeight) + beyond;
  const wanted = useRef({});
  wanted.current = { from, to };

  useEffect(() => {
    const pages = new Pages();
    const ended = new AbortController();
    let busy = false;
    const where = path`topics/${topic}/groups/${group}/dlq/letters`;
    const ask = (after) => get(where, { ...filterQuery(filter), after, limit: after ? moreRows : firstRows }, ended.signal);

    // One page at a time, until all that is looked at is there.
    async function fill() {
      if (busy) return;
      busy = true;
      try {
        for (;;) {
          const range = wanted.current;
          const missing = pages.missing(range.from, range.to);
          const at = missing >= 0 ? missing : pages.old(range.from, range.to);
          if (at >= 0) {
            const answer = await ask(pages.pages[at].after);
            pages.refill(at, answer.letters, (letter) => letter.seq);
            pages.pages[at].old = false;
          } else if (pages.more && pages.size < range.to + firstRows / 2) {
            const answer = await ask(pages.end);
            pages.append(answer.letters, answer.next ?? pages.end, answer.more);
          } else break;
          pages.forget((range.from + range.to) / 2);
          setProblem(null);
          draw();
        }
      } catch (failure) {
        if (!ended.signal.aborted) setProblem(failure);
      }
      busy = false;
      if (!ended.signal.aborted) draw();
    }

    const ours = ofQueue(topic, group);
    let timer = 0;
    const stop = stream.listen((event) => {
      if (event.event !== 'resync' && !ours(event)) return;
      clearTimeout(timer);
      timer = setTimeout(() => {
        pages.stale();
        fill();
      }, 500);
    });
    held.current = { pages, fill, isBusy: () => busy };
    setProblem(null);
    box.current.scrollTop = 0;
    fill();
    return () => {
      ended.abort();
      clearTimeout(timer);
      stop();
    };
  }, [topic, group, filterName]);

  useEffect(() => { held.current?.fill(); }, [from, to]);
  useLayoutEffect(() => {
    const measure = () => {
      setRowHeight(narrow.matches ? 84 : 40);
      if (box.current) setView({ top: box.current.scrollTop, height: box.current.clientHeight });
    };
    measure();
    const sized = new ResizeObserver(measure);
    sized.observe(box.current);
    return () => sized.disconnect();
  }, []);

  const pages = held.current?.pages;
  const rows = pages?.slice(from, to) ?? [];
  const size = pages?.size ?? 0;
  const all = pages && !pages.more;
  const keys = (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step || event.target.tagName === 'INPUT') return;
    const links = [...box.current.querySelectorAll('a.row-link')];
    const at = links.indexOf(document.activeElement);
    event.preventDefault();
    (links[at + step] ?? (at < 0 && links[0]))?.focus?.();
  };
  return html`<div class="letters">
    <${Problem} problem=${problem} retry=${() => held.current.fill()} />
    <p class="dim" role="status">${!pages || (pages.more && !size) ? 'Looking for letters…' : size === 0 ? 'No dead letter is like that.' : all ? plural(size, 'letter') : `${count(size)} letters so far; scroll for more`}</p>
    <div class=${`window${size ? '' : ' bare'}`} ref=${box} style=${{ height: `min(75vh, ${size * rowHeight + (narrow.matches ? 2 : 36)}px)` }} tabindex=${size ? 0 : -1} role="table" aria-label="Dead letters" aria-rowcount=${all ? size + 1 : -1} onScroll=${() => setView({ top: box.current.scrollTop, height: box.current.clientHeight })} onKeyDown=${keys}>
      <div role="rowgroup" class="letters-head"><div role="row" class="letter-row head">
        ${onSelect && html`<span role="columnheader" class="pick"><span class="hidden-text">Choose</span></span>`}
        <span role="columnheader">Message</span><span role="columnheader">Died</span><span role="columnheader">Error</span><span role="columnheader" class="right">Attempts</span><span role="columnheader">Looked at</span>
      </div></div>
      <div role="rowgroup" class="space" style=${{ height: `${size * rowHeight}px` }}>
        ${rows.map(({ index, row }) => html`<${Row} key=${row ? row.seq : `at${index}`} letter=${row} index=${index} top=${index * rowHeight} ...${{ topic, group, selected, onSelect }} />`)}
      </div>
    </div>
  </div>`;
}

function Row({ letter, index, top, topic, group, selected, onSelect }) {
  const place = { transform: `translateY(${top}px)` };
  if (!letter) return html`<div role="row" class="letter-row waiting" aria-rowindex=${index + 2} style=${place}><span role="cell">…</span></div>`;
  const pick = () => {
    const next = new Set(selected);
    if (!next.delete(letter.id)) next.add(letter.id);
    onSelect(next);
  };
  return html`<div role="row" class="letter-row" aria-rowindex=${index + 2} style=${place}>
    ${onSelect && html`<span role="cell" class="pick"><input type="checkbox" aria-label=${`Choose ${letter.origin}`} checked=${selected.has(letter.id)} onChange=${pick} /></span>`}
    <span role="rowheader"><a class="row-link" href=${queueLink(topic, group, 'letter', letter.seq)}><${Shown} text=${letter.origin} /></a></span>
    <span role="cell"><${Time} ms=${letter.died} /></span>
    <span role="cell" class="error" title=${letter.reason}><${Fault} type=${cut(letter.error_type ?? letter.reason, 60)} message=${letter.error_message && cut(letter.error_message, 200)} /></span>
    <span role="cell" class="right number">${count(letter.attempts)}</span>
    <span role="cell">${letter.attended ? html`<span class="dim">yes</span>` : html`<${Badge} kind="warn">nobody<//>`}</span>
  </div>`;
}
