// Text that came from outside, made safe to look at: characters that control, hide or reorder are shown by their numbers.

// Control characters; those that turn or override the direction; joiners, fillers and others that have no width; tags; halves of a pair.
const hidden = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\u{1bca0}-\u{1bca3}\u{1d173}-\u{1d17a}\u{e0000}-\u{e0fff}]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/gu;
const breaks = /[\t\n]/g;

// `U+202E` of a character.
export function codeName(character) {
  return 'U+' + character.codePointAt(0).toString(16).toUpperCase().padStart(4, '0');
}

// Cut `text` into parts: { text } as it is, or { code } for a character that is shown by its number. In one line (`lines` false) so
// are tabs and ends of lines.
export function visibleParts(text, lines = false) {
  const parts = [];
  const add = (plain) => plain && parts.push({ text: plain });
  const pattern = lines ? hidden : new RegExp(hidden.source + '|' + breaks.source, 'gu');
  let at = 0;
  for (const found of text.matchAll(pattern)) {
    add(text.slice(at, found.index));
    parts.push({ code: codeName(found[0]) });
    at = found.index + found[0].length;
  }
  add(text.slice(at));
  return parts;
}

// The same as one string, for titles and labels.
export function visible(text) {
  return visibleParts(String(text)).map((part) => part.text ?? `⟨${part.code}⟩`).join('');
}

// At most `most` characters, with a mark where it was cut.
export function cut(text, most) {
  const characters = Array.from(text.slice(0, 2 * most + 2));
  return characters.length > most ? characters.slice(0, most - 1).join('') + '…' : text;
}

// A word as a POSIX shell takes it.
export function shellWord(word) {
  const text = String(word);
  if (/^[A-Za-z0-9_.:\/@%+=,-]+$/.test(text)) return text;
  if (!/[\u0000-\u001f\u007f]/.test(text)) return `'${text.replaceAll("'", "'\\''")}'`;
  const escaped = text.replace(/[\\'\u0000-\u001f\u007f]/g, (c) => (c === '\\' || c === "'" ? '\\' + c : '\\x' + c.charCodeAt(0).toString(16).padStart(2, '0')));
  return `$'${escaped}'`;
}

// A command line of words; those that are undefined or false are left out.
export function commandLine(...words) {
  return words.flat().filter((word) => word !== undefined && word !== false && word !== null).map(shellWord).join(' ');
}
