// The rows of the overview, and how fast they move.
import { eachPage, get } from './api.js';
import { learnClock } from './time.js';

// All groups of all topics, a page after the other; `some(rows)` is told when the first are there.
export async function groupRows(signal) {
  const rows = [];
  let at = null;
  await eachPage('overview', { limit: 1000 }, (page) => {
    rows.push(...page.groups);
    at = page.now;
  }, signal);
  if (at) learnClock(at);
  return { rows, at };
}

// How long nobody had looked at the oldest letter, minute by minute of the last hour, by `topic/group`; none for those who may not see all topics.
export async function lastHour(signal) {
  try {
    const { groups } = await get('unattended', {}, signal);
    return new Map(groups.map((row) => [`${row.topic}/${row.group}`, row]));
  } catch (problem) {
    if (problem.status === 403) return new Map();
    throw problem;
  }
}

// Messages a second between two answers: { published, acked } by `topic/group`.
export function rates(before, after) {
  const seconds = (after.at - before.at) / 1000;
  const old = new Map(before.rows.map((row) => [`${row.topic}/${row.group}`, row]));
  const speed = (row, name) => Math.max(0, ((row[name] ?? 0) - (old.get(`${row.topic}/${row.group}`)?.[name] ?? row[name] ?? 0)) / seconds);
  return new Map(after.rows.map((row) => [`${row.topic}/${row.group}`, seconds > 0 ? { published: speed(row, 'published'), acked: speed(row, 'acked') } : null]));
}
