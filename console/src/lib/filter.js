// Which letters: a filter as text, `cause=9f09cf0d04ea217d match="no such person"`, as the fields of a request, and as options of the tool.
import { commandLine } from './text.js';
import { parseDuration, now, isoTime } from './time.js';

const names = ['cause', 'reason', 'type', 'match', 'since', 'header', 'key'];
const word = /\s*([a-z]+)=("(?:[^"\\]|\\.)*"|[^\s"]*)(?=\s|$)/y;

// { filter } or { error }: a sentence that says what to correct.
export function parseFilter(text) {
  const filter = {};
  let at = 0;
  while (text.slice(at).trim()) {
    word.lastIndex = at;
    const found = word.exec(text);
    if (!found) return { error: `I do not understand ‘${text.slice(at).trim()}’: write NAME=VALUE, with quotes around a value that has spaces` };
    const [whole, name, raw] = found;
    const value = raw.startsWith('"') ? raw.slice(1, -1).replace(/\\(.)/g, '$1') : raw;
    if (!names.includes(name)) return { error: `there is no ‘${name}’: letters are chosen by ${names.join(', ')}` };
    if (name in filter) return { error: `‘${name}’ is given twice` };
    if (!value) return { error: `‘${name}’ has no value` };
    if (name === 'header' && value.indexOf('=') < 1) return { error: 'header wants NAME=VALUE: header="shop=north"' };
    if (name === 'since' && Number.isNaN(sinceMs(value))) return { error: `since wants a time ago such as 2h, or a time such as ${isoTime(0)}, not ‘${value}’` };
    if (name === 'cause' && !/^[0-9a-f]{16}$/.test(value)) return { error: 'a cause has 16 hexadecimal digits' };
    filter[name] = value;
    at += whole.length;
  }
  return { filter };
}

export function filterText(filter) {
  return names.filter((name) => filter[name]).map((name) => `${name}=${quoted(filter[name])}`).join(' ');
}

const quoted = (value) => (/^[^\s"\\]+$/.test(value) ? value : `"${value.replace(/["\\]/g, '\\$&')}"`);

// Milliseconds since 1970 of `2h` ago, or of a time; NaN.
export function sinceMs(text) {
  const ago = /^\d+$/.test(text) ? NaN : parseDuration(text);
  if (!Number.isNaN(ago)) return Math.max(0, Math.floor(now() - ago));
  if (/^\d{10,}$/.test(text)) return Number(text);
  return /^\d{4}-/.test(text) ? Date.parse(text) : NaN;
}

// `since` as a point in time, so that pages of one listing, and a dry run and its redrive, mean the same letters.
export function fixed(filter) {
  return filter.since ? { ...filter, since: isoTime(sinceMs(filter.since)) } : filter;
}

// As parameters of a GET.
export function filterQuery(filter) {
  const query = { ...filter };
  if (filter.since) query.since = String(sinceMs(filter.since));
  return query;
}

// As members of `options` or `filter` in a POST.
export function filterFields(filter) {
  const fields = { ...filter };
  if (filter.since) fields.since = sinceMs(filter.since);
  if (filter.header) {
    const at = filter.header.indexOf('=');
    fields.header = [filter.header.slice(0, at), filter.header.slice(at + 1)];
  }
  return fields;
}

// As options of the tool.
export function filterOptions(filter) {
  return names.filter((name) => filter[name]).flatMap((name) => [`--${name}`, filter[name]]);
}

export const filterCommand = (verb, topic, group, filter, ...more) =>
  commandLine('shunt', 'dlq', verb, topic, group !== 'default' && ['-g', group], filterOptions(filter), ...more);
