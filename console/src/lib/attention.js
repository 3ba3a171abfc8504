// What a queue needs somebody for, and how urgently: { rank (0 first), kind, word, since }.

export function attention(row, now) {
  const { oldest_unattended: oldest, dlq_slo_ms: slo } = row;
  if (oldest && slo && now - oldest > slo) return { rank: 0, kind: 'bad', word: 'overdue', since: oldest };
  if (row.breaker && row.breaker !== 'closed' && row.breaker !== 'off') return { rank: 1, kind: 'bad', word: { open: 'breaker open', half_open: 'breaker half open', ramp: 'breaker recovering' }[row.breaker] ?? row.breaker, since: row.breaker_since };
  if (row.unattended) return { rank: 2, kind: 'warn', word: 'new dead letters', since: oldest };
  if (row.blocked_keys) return { rank: 3, kind: 'warn', word: 'keys blocked', since: row.oldest_blocked };
  if (row.paused) return { rank: row.ready ? 4 : 6, kind: 'warn', word: 'paused', since: row.ready ? row.oldest_ready : undefined };
  if (row.ready && !row.consumers) return { rank: 5, kind: 'warn', word: 'no consumer', since: row.oldest_ready };
  if (row.dead) return { rank: 7, kind: 'mute', word: 'looked at', since: row.oldest_dead };
  return { rank: 8, kind: 'good', word: 'well' };
}

// What needs somebody first; among equals what has waited longest, then by name.
export function byAttention(rows, now) {
  return rows
    .map((row) => ({ ...row, attention: attention(row, now) }))
    .sort((a, b) => a.attention.rank - b.attention.rank || (a.attention.since ?? Infinity) - (b.attention.since ?? Infinity) || (a.topic < b.topic ? -1 : a.topic > b.topic ? 1 : a.group < b.group ? -1 : 1));
}

// What is wrong as a whole, in a sentence for whoever was woken: { kind, text, more }.
export function verdict(rows, sums, now) {
  const ranks = rows.map((row) => attention(row, now));
  const overdue = ranks.filter((each) => each.rank === 0).length;
  const unattended = rows.reduce((sum, row) => sum + (row.unattended ?? 0), 0);
  const oldest = rows.reduce((least, row) => Math.min(least, row.oldest_unattended ?? Infinity), Infinity);
  const breakers = ranks.filter((each) => each.rank === 1).length;
  const others = ranks.filter((each) => each.rank >= 3 && each.rank <= 5).length;
  if (sums?.full) return { kind: 'bad', what: 'full' };
  if (sums?.conservation_error) return { kind: 'bad', what: 'conservation' };
  if (unattended) return { kind: overdue ? 'bad' : 'warn', what: 'unattended', unattended, overdue, oldest, queues: rows.filter((row) => row.unattended).length, breakers };
  if (breakers) return { kind: 'bad', what: 'breakers', breakers };
  if (others) return { kind: 'warn', what: 'others', others };
  return { kind: 'good', what: 'well' };
}
