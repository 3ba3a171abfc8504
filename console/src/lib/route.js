// Where one is: the fragment of the address, `#/q/orders/default?state=new`, as names and parameters.

export function parseRoute(hash) {
  const [where = '', query = ''] = hash.replace(/^#\/?/, '').split(/\?(.*)/s);
  return { names: where.split('/').filter(Boolean).map(decode), query: Object.fromEntries(new URLSearchParams(query)) };
}

function decode(name) {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

// `#/q/orders/default`, of names that may hold anything.
export function link(names, query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== '');
  const text = new URLSearchParams(given).toString();
  return '#/' + names.map(encodeURIComponent).join('/') + (text ? '?' + text : '');
}

export function go(to, replace = false) {
  if (replace) location.replace(to);
  else location.hash = to;
}

export const queueLink = (topic, group, ...more) => link(['q', topic, group, ...more]);

// Of a message's name, `orders/17`, or a dead letter's, `dlq:orders:default/3`; null: it is none.
export function messageLink(name) {
  const letter = /^dlq:([^:/]+):([^:/]+)\/(\d+)$/.exec(name);
  if (letter) return queueLink(letter[1], letter[2], 'letter', letter[3]);
  const message = /^([^:/\s]+)\/(\d+)$/.exec(name);
  return message && link(['m', message[1], message[2]]);
}
