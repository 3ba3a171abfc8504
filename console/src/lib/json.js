// JSON as a tree that keeps what JSON.parse loses: numbers digit by digit, and members of one name that come twice.

const depthMost = 100;

// { kind: 'object', members: [[name, node]…] }, { kind: 'array', items: [node…] }, { kind: 'string', value }, or { kind: 'number' | 'word', text }.
// null: it is no JSON, or nested too deeply to show.
export function parseTree(text) {
  let at = 0;
  const space = () => { while (at < text.length && ' \t\n\r'.includes(text[at])) at++; };
  const fail = () => { throw new SyntaxError(`at ${at}`); };
  const take = (pattern) => {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    if (!found) fail();
    at += found[0].length;
    return found[0];
  };
  const string = () => JSON.parse(take(/"(?:[^"\\\u0000-\u001f]|\\(?:["\\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y));

  function list(end, item) {
    at++;
    space();
    if (text[at] === end) { at++; return; }
    for (;;) {
      item();
      space();
      if (text[at] === end) { at++; return; }
      if (text[at] !== ',') fail();
      at++;
      space();
    }
  }

  function value(depth) {
    if (depth > depthMost) fail();
    space();
    const first = text[at];
    if (first === '{') {
      const members = [];
      list('}', () => {
        const name = string();
        space();
        if (text[at] !== ':') fail();
        at++;
        members.push([name, value(depth + 1)]);
      });
      return { kind: 'object', members };
    }
    if (first === '[') {
      const items = [];
      list(']', () => items.push(value(depth + 1)));
      return { kind: 'array', items };
    }
    if (first === '"') return { kind: 'string', value: string() };
    if (first === '-' || (first >= '0' && first <= '9')) return { kind: 'number', text: take(/-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y) };
    return { kind: 'word', text: take(/true|false|null/y) };
  }

  try {
    const tree = value(0);
    space();
    return at === text.length ? tree : null;
  } catch (problem) {
    if (problem instanceof SyntaxError) return null;
    throw problem;
  }
}
