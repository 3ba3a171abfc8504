// Why a message is where it is, in sentences: what `shunt why` says, from the same answer.
import { count, plural } from './number.js';
import { duration, fullTime } from './time.js';

const outcomes = {
  nacked: ['failed', 'its handler said that it failed'],
  rejected: ['was rejected', 'its handler rejected it, and then it dies whatever max-attempts says'],
  released: ['was given back', 'it was given back, or its consumer said goodbye; it waits in front again'],
  lease_expired: ['its lease ran out', 'its handler had begun, and no answer came while the lease lasted'],
  unstarted: ['came back', 'no handler had begun on it'],
  disconnected: ['its consumer was lost', 'the connection was lost while this alone was being handled'],
  suspected: ['its consumer was lost', 'the connection was lost while several messages were being handled: each of them is a suspect now and is handed out alone, so that a second loss has one culprit'],
  broker_restart: ['the broker restarted', 'a restart of the broker is no fault of the message'],
  recalled: ['was taken back', 'a message of its key before it, which was out with it, failed; it comes again behind that one'],
  ttl_expired: ['its time to live was over', 'nobody had it when its time to live was over'],
  deadline_exceeded: ['its deadline passed', 'its publisher said until when it is needed, and that is no fault of the message or of a handler'],
  outage: ['failed in an outage', 'most of the group’s latest messages failed, so its breaker was open: no fault of this message'],
};

const reasons = {
  rejected: 'its handler rejected it',
  max_attempts: 'it had failed as often as it may',
  ttl_expired: 'its time to live was over before anybody had it',
  deadline_exceeded: 'its deadline passed before it was done',
  corrupt: 'it is damaged in the store, and is not sent',
  predecessor_dead: 'a message before it with the same key is dead, and on-dead says that it follows',
  operator: 'an operator put it there',
};

const counted = {
  pending: 'has no outcome of it yet',
  acked: 'counts it as acked',
  failed_same: 'counts it as failed: again of the cause that it had died of',
  failed_other: 'counts it as failed: of another cause than it had died of',
  gone: 'counts it as gone: purged, discarded or deleted',
};

const nexts = {
  hand_out: 'A consumer of the group is given it in its turn.',
  alone: 'It is a suspect: a connection that holds nothing else is given it, alone.',
  consumer: 'Nothing, until a consumer of the group connects.',
  resume: 'Nothing, until the group is resumed: it is paused.',
  breaker: 'Nothing, until the group’s breaker closes: most of its latest messages failed.',
  room: 'Nothing, until the store has room: it is too full to hand anything out.',
};

const waits = {
  dead: 'is dead and holds the key: the key goes on when that dead letter was redriven and is done, or was purged',
  in_flight: 'is in flight: this one is handed out when that is done',
  delayed: 'waits for its time, and this one for that',
  ready: 'comes before it, and waits as well',
};

const ruleDoes = { redrive: 'brings it back', mute: 'mutes it', move: 'moves it', discard: 'discards it' };

const ends = {
  acked: 'acknowledged',
  expired: 'dropped by the retention of its dead-letter queue',
  discarded: 'dropped, because its time to live or its deadline was over and the group discards such messages',
  purged: 'purged by an operator',
  moved: 'sent to another topic, and replaced there',
};

export const outcomeText = (outcome) => outcomes[outcome]?.[0] ?? outcome;
export const reasonText = (reason) => reasons[reason] ?? reason;

// `worker-7 on host-a (build 12)`.
export const consumerText = ({ consumer, host, build }) => `${consumer ?? 'a consumer without a name'}${host ? ` on ${host}` : ''}${build ? ` (build ${build})` : ''}`;

// Steps of one group of an answer of `why`, in order: { at: time or null, text, notes: [text…] }; then where it is (`now`) and what comes (`next`).
export function story(why, group) {
  const steps = [];
  const step = (at, text, ...notes) => steps.push({ at, text, notes: notes.filter(Boolean) });
  const limit = (name) => limitText(group, name);
  if (why.published && !['not_yet', 'before'].includes(group.state)) {
    step(why.published, 'published', why.due && `scheduled for ${fullTime(why.due)} by its publisher`, why.deadline && `needed until ${fullTime(why.deadline)}`);
  }

  let edited = group.edited;
  const tellEdit = (before) => {
    if (!edited || edited.at > before) return;
    const by = edited.client ? ` by ${edited.client}${edited.host ? ` on ${edited.host}` : ''}` : '';
    step(edited.at, `its body was edited${by}`, `edit ${edited.edit}: this group gets that body, others the one that was published`, edited.reason && `because: ${edited.reason}`);
    edited = null;
  };
  const tellRedrive = (generation, job) => {
    const known = group.redrive && job === group.redrive.job ? group.redrive : null;
    const by = known?.rule ? `rule ${known.rule}` : job ? `job ${job}` : '';
    steps.push({
      at: null,
      text: `died, and was redriven${by && ` by ${by}`}: generation ${generation} begins, with attempts 0`,
      notes: known ? [`${by} ${counted[known.outcome] ?? known.outcome}`] : [],
      job: known?.rule ? undefined : job || undefined,
    });
  };

  let number = 0;
  let generation = 0;
  for (const [at, row] of group.history.entries()) {
    if (row.number - number > 1) step(null, `(${plural(row.number - number - 1, 'attempt')} are not kept: they made room for newer ones)`);
    if (row.generation > generation) {
      tellEdit(row.ended);
      tellRedrive(row.generation, row.job);
    }
    if (row.leased) step(row.leased, `handed out to ${consumerText(row)}`);
    const [sentence, because] = outcomes[row.outcome] ?? [row.outcome, row.outcome];
    const took = row.leased ? ` after ${duration(row.ended - row.leased)}` : '';
    const error = [row.error_type, row.error_message].filter(Boolean).map((text) => `: ${text}`).join('');
    const charged = attemptNumber(group, at);
    step(row.ended, `${sentence}${took}${error}`, row.charged ? `charged${charged ? ` as attempt ${charged} (${limit('max_attempts')})` : ''}: ${because}` : `not charged: ${because}`);
    number = row.number;
    generation = row.generation;
  }
  if (group.generation > generation) {
    tellEdit(group.death?.died ?? Infinity);
    tellRedrive(group.generation, group.redrive?.job);
  }
  if (group.death && reasons[group.death.reason]) {
    const { death } = group;
    const because = death.reason === 'max_attempts' ? ` (${limit('max_attempts')})` : '';
    step(death.died, `died, because ${reasons[death.reason]}${because}: dead letter ${death.id}`,
      death.cause && `of cause ${death.cause} (${death.cause_state ?? 'gone'})${death.cause_title ? `: ${death.cause_title}` : ''}`,
      death.attended ? 'somebody has looked at it' : 'nobody has looked at it',
      death.rule_action && `rule ${death.rule} ${ruleDoes[death.rule_action] ?? death.rule_action} at ${fullTime(death.rule_at)}, unless somebody decides before`);
  }
  tellEdit(Infinity);
  return { steps, ...standing(group, limit, step) };
}

// Where it is, and what comes next.
function standing(group, limit, step) {
  const lives = group.expires ? ` Its time to live is over at ${fullTime(group.expires)}.` : '';
  switch (group.state) {
    case 'ready': {
      const { waits_for: other } = group;
      const turn = other && `Nothing, until it is its turn: ${other.message}, of the same key, ${waits[other.state] ?? other.state}.`;
      return { now: `Ready${group.since ? ` since ${fullTime(group.since)}` : ''}; the group has ${plural(group.ready, 'message')} ready and ${plural(group.consumers, 'consumer')} connected.${lives}`, next: turn || nexts[group.next] || '' };
    }
    case 'in_flight': {
      const { holder } = group;
      if (!holder) return { now: 'In flight; the broker no longer knows to whom.', next: 'Its answer, or the end of its lease.' };
      step(holder.leased, `handed out to ${consumerText(holder)}, from ${holder.peer ?? 'an unknown address'}`);
      return {
        now: `In flight: delivery ${group.deliveries}; ${holder.started ? 'its handler runs' : 'its handler has not begun'}${holder.silent ? ', and nothing has come from that consumer since a lease of it ran out' : ''}.${lives}`,
        next: `Its answer; or at ${fullTime(holder.until)} its lease ends (${limit('lease_ms')}), which is ${holder.started ? 'charged' : 'not charged, because no handler has begun'}. If that is charged, it is attempt ${group.attempts + 1} (${limit('max_attempts')}).`,
      };
    }
    case 'delayed':
      return { now: `Delayed until ${fullTime(group.until)}${group.attempts_total ? `: back-off after a failure, unless its consumer named the delay (${limit('backoff_min_ms')}; ${limit('backoff_max_ms')})` : ''}.${lives}`, next: 'It is ready then.' };
    case 'dead':
      return { now: 'Dead; its time to live stands still.', next: group.until ? `It is dropped at ${fullTime(group.until)} (${limit('dlq_retention_ms')}), unless somebody decides before.` : `It stays until somebody decides (${limit('dlq_retention_ms')}: for ever).` };
    case 'done': {
      const { end } = group;
      if (!end || !ends[end.how]) return { now: 'Done: acknowledged, purged, or dropped by a time to live or a retention; which is not known.', next: `What failed at least once is remembered for ${limit('history_after_ms')} after its end; this message never failed, or that time is over.` };
      const by = end.rule ? ` by rule ${end.rule}` : end.consumer ? ` by ${consumerText(end)}` : end.moved_to ? `: it is ${end.moved_to} now` : '';
      step(group.since, `${ends[end.how]}${by}`);
      return { now: 'Done.', next: group.until ? `This is forgotten at ${fullTime(group.until)} (${limit('history_after_ms')}).` : '' };
    }
    case 'not_yet':
      return { now: 'No message of this number has been published yet.', next: '' };
    default:
      return { now: 'Not this group’s: it was published before the group was made, or the group begins later.', next: '' };
  }
}

// `max-attempts 5, set by the topic`.
function limitText(group, name) {
  const found = group.limits?.find((limit) => limit.setting === name);
  const option = name.replace(/_ms$/, '').replaceAll('_', '-');
  if (!found) return option;
  const source = { group: 'set by the group', topic: 'set by the topic', default: 'by default' }[found.source] ?? found.source;
  return `${option} ${name.endsWith('_ms') ? duration(found.value) : count(found.value)}, ${source}`;
}

// Of the attempt's generation, how many were charged up to it; 0: not known, because rows made room.
function attemptNumber(group, at) {
  if (group.history[at].generation !== group.generation) return 0;
  const later = group.history.slice(at + 1).filter((row) => row.charged).length;
  return Math.max(0, group.attempts - later);
}
