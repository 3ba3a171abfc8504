import assert from 'node:assert/strict';
import { test } from 'node:test';
import { commandLine, cut, shellWord, visible, visibleParts } from '../src/lib/text.js';

test('what overrides the direction of text is shown by its number', () => {
  assert.equal(visible('a\u202Eb\u2066c'), 'a⟨U+202E⟩b⟨U+2066⟩c');
});

test('control characters, fillers, tags and halves of a pair are shown by their numbers', () => {
  for (const character of ['\u0000', '\u0007', '\u001b', '\u007f', '\u0085', '\u00ad', '\u061c', '\u180e', '\u200b', '\u200d', '\u2028', '\u2060', '\u3164', '\ufeff', '\ufff9', '\u{e0041}', '\ud800', '\udc00']) {
    const [part, ...others] = visibleParts(character);
    assert.match(part.code, /^U\+[0-9A-F]{4,6}$/);
    assert.equal(others.length, 0);
  }
});

test('letters of all scripts, and signs outside the first plane, stay as they are', () => {
  for (const text of ['Zürich', 'עברית', 'العربية', '日本語', '🙂', 'é'.normalize('NFD')]) assert.deepEqual(visibleParts(text), [{ text }]);
});

test('tabs and ends of lines are kept where text has lines, and shown where it is one', () => {
  assert.deepEqual(visibleParts('a\n\tb', true), [{ text: 'a\n\tb' }]);
  assert.equal(visible('a\n\tb'), 'a⟨U+000A⟩⟨U+0009⟩b');
  assert.equal(visibleParts('a\rb', true)[1].code, 'U+000D');
});

test('a cut falls between characters', () => {
  assert.equal(cut('🙂🙂🙂', 2), '🙂…');
  assert.equal(cut('🙂🙂', 2), '🙂🙂');
});

test('a word is quoted so that a shell takes it as it is', () => {
  assert.equal(shellWord('orders/17'), 'orders/17');
  assert.equal(shellWord(''), "''");
  assert.equal(shellWord("it's; rm -rf $HOME"), "'it'\\''s; rm -rf $HOME'");
  assert.equal(shellWord('a\nb\u001b'), "$'a\\x0ab\\x1b'");
});

test('what is not given is no word of a command', () => {
  assert.equal(commandLine('shunt', 'dlq', undefined, false, ['-g', 'bill']), 'shunt dlq -g bill');
});
