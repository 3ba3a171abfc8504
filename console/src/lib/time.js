// Times and durations as people read them. The server's clock decides: `now()` is that clock, as far as answers have told it.

const units = [['d', 86400000], ['h', 3600000], ['m', 60000], ['s', 1000], ['ms', 1]];
let aheadMs = 0; // of this machine's clock
let utc = false;

// An answer came whose server said that it was `serverMs`; `exact`: to the millisecond, and not to the second.
export function learnClock(serverMs, exact = true) {
  const ahead = serverMs - Date.now();
  if (exact || Math.abs(ahead - aheadMs) > 2000) aheadMs = ahead;
}

export const now = () => Date.now() + aheadMs;

// Whether times are shown as UTC instead of this machine's zone.
export const showUtc = (on) => { utc = on; };
export const isUtc = () => utc;

// `1h30m`, as the tool writes it; `most` units, of which the last is cut off and not rounded up. Of seconds with a fraction, two units are `1.4s`.
export function duration(ms, most = 2) {
  if (most === 2 && ms > 1000 && ms < 60000 && ms % 1000) return `${(Math.floor(ms / 100) / 10).toString()}s`;
  let left = Math.max(0, Math.floor(ms));
  const parts = [];
  for (const [name, size] of units) {
    const count = Math.floor(left / size);
    if (parts.length || count) {
      if (count) parts.push(count + name);
      else if (parts.length) parts.push('');
      left -= count * size;
    }
    if (parts.length === most) break;
  }
  return parts.join('') || '0s';
}

// How long ago, without parts that change faster than one can read: `now`, `42s`, `2h18m`, `3d4h`.
export function age(ms) {
  return ms < 1000 ? '0s' : duration(ms < 60000 ? ms - (ms % 1000) : ms - (ms % (ms < 3600000 ? 1000 : 60000)));
}

// Milliseconds of `1h30m`, `2d`, `500ms`, or of a plain number of milliseconds; NaN: it is no duration.
export function parseDuration(text) {
  const trimmed = text.trim();
  if (/^\d+$/.test(trimmed)) return Number(trimmed);
  if (!/^(\d+(\.\d+)?(d|h|m|s|ms))+$/.test(trimmed)) return NaN;
  let sum = 0;
  for (const [, count, , unit] of trimmed.matchAll(/(\d+(\.\d+)?)(ms|d|h|m|s)/g)) sum += Number(count) * units.find(([name]) => name === unit)[1];
  return Math.round(sum);
}

const two = (number) => String(number).padStart(2, '0');

// The zone at that time: `UTC`, or `+01:00`.
export function zoneAt(ms) {
  const minutes = utc ? 0 : -new Date(ms).getTimezoneOffset();
  if (!minutes) return 'UTC';
  const size = Math.abs(minutes);
  return (minutes < 0 ? '-' : '+') + two(Math.floor(size / 60)) + ':' + two(size % 60);
}

function parts(ms) {
  const date = new Date(ms - (utc ? 0 : new Date(ms).getTimezoneOffset() * 60000));
  const [day, clock] = date.toISOString().split('T');
  return { day, clock: clock.slice(0, 8), milliseconds: clock.slice(8, 12) };
}

// The time without its zone: `00:42:07` if it is of today, else with the date in front.
export function clockTime(ms, from = now()) {
  const { day, clock } = parts(ms);
  return day === parts(from).day ? clock : `${day} ${clock}`;
}

// The whole: `2026-11-30 00:42:07.123 +01:00`.
export function fullTime(ms) {
  const { day, clock, milliseconds } = parts(ms);
  return `${day} ${clock}${milliseconds} ${zoneAt(ms)}`;
}

export const isoTime = (ms) => new Date(ms).toISOString();
