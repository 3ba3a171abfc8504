// What one may do, so that nothing is offered that the server would refuse. The server decides.

// Whether `who` (of whoami) has the right on the topic; without a topic, on every one.
export function may(who, right, topic) {
  if (!who) return false;
  if (who.user === null || who.user === undefined || who.administrator) return true;
  const grants = who.effective ?? who.grants ?? [];
  return grants.some((grant) => {
    const at = grant.lastIndexOf(':');
    const rights = grant.slice(at + 1).split(',');
    return (rights.includes(right) || rights.includes('all')) && (topic === undefined ? grant.slice(0, at) === '*' : fits(grant.slice(0, at), topic));
  });
}

// Whether a pattern, with `*` for any number of characters, fits the name.
export function fits(pattern, name) {
  const pieces = pattern.split('*');
  if (pieces.length === 1) return pattern === name;
  const last = pieces.pop();
  let at = pieces[0].length;
  if (!name.startsWith(pieces.shift())) return false;
  for (const piece of pieces) {
    const found = name.indexOf(piece, at);
    if (found < 0) return false;
    at = found + piece.length;
  }
  return name.length - last.length >= at && name.endsWith(last);
}
