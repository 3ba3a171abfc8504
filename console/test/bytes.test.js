import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bytesOf, fromBase64, headerText, hexLines, textOf, toBase64 } from '../src/lib/bytes.js';

test('bytes come from text or from base64', () => {
  assert.deepEqual([...bytesOf({ body: 'aé' }, 'body')], [0x61, 0xc3, 0xa9]);
  assert.deepEqual([...bytesOf({ body_base64: 'AP8=' }, 'body')], [0, 255]);
  assert.equal(bytesOf({ body: null }, 'body'), null);
});

test('base64 is the same there and back, also of many bytes', () => {
  const bytes = Uint8Array.from({ length: 100000 }, (_, at) => (at * 31) & 255);
  assert.deepEqual(fromBase64(toBase64(bytes)), bytes);
});

test('bytes that are no UTF-8 are no text, and a mark at the beginning is kept', () => {
  assert.equal(textOf(Uint8Array.of(0xff)), null);
  assert.equal(textOf(Uint8Array.of(0xef, 0xbb, 0xbf, 0x61)), '\ufeffa');
});

test('a hex dump has 16 bytes a line, and a point for what cannot be seen', () => {
  const lines = hexLines(Uint8Array.from({ length: 18 }, (_, at) => at + 0x30));
  assert.deepEqual(lines.map((line) => line.at), ['00000000', '00000010']);
  assert.equal(lines[0].hex, '30 31 32 33 34 35 36 37 38 39 3a 3b 3c 3d 3e 3f');
  assert.equal(lines[1].text, '@A');
  assert.equal(hexLines(Uint8Array.of(0, 0x80))[0].text, '··');
  assert.equal(hexLines(new Uint8Array(100), 0, 2).length, 2);
});

test('a header that is no text is shown as base64', () => {
  assert.equal(headerText({ base64: 'AP8=' }), 'base64:AP8=');
  assert.equal(headerText('a'), 'a');
});
