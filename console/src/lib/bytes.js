// Bodies and keys: the API gives bytes as a string if they are UTF-8, and else as base64.

// The bytes of `name` in `row`, from `name` or `name_base64`; null: there are none.
export function bytesOf(row, name) {
  if (typeof row?.[`${name}_base64`] === 'string') return fromBase64(row[`${name}_base64`]);
  return typeof row?.[name] === 'string' ? new TextEncoder().encode(row[name]) : null;
}

export function fromBase64(text) {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

export function toBase64(bytes) {
  let text = '';
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(text);
}

// The text that they are, or null.
export function textOf(bytes) {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}

// Lines of a hex dump: { at, hex, text }, 16 bytes each, from byte `from` for `lines` lines.
export function hexLines(bytes, from = 0, lines = Infinity) {
  const rows = [];
  for (let at = from; at < bytes.length && rows.length < lines; at += 16) {
    const row = bytes.subarray(at, at + 16);
    rows.push({
      at: at.toString(16).padStart(8, '0'),
      hex: Array.from(row, (byte) => byte.toString(16).padStart(2, '0')).join(' '),
      text: Array.from(row, (byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : '·')).join(''),
    });
  }
  return rows;
}

// The value of a header: a string, or { base64 } for bytes that are no text.
export const headerText = (value) => (typeof value === 'string' ? value : `base64:${value?.base64 ?? ''}`);
