// Server-sent events: text, in pieces as it comes, to events.

const bufferMost = 1 << 20;

// A reader of pieces of text: `tell` gets { id, event, data } of each event, and { comment } of each comment.
export function eventReader(tell) {
  let rest = '';
  let event = {};
  return (text) => {
    rest += text;
    if (rest.length > bufferMost) throw new RangeError('a line of the stream is too long');
    const lines = rest.split(/\r\n|\n|\r(?=.)/s);
    rest = lines.pop();
    for (const line of lines) {
      if (line === '') {
        if (event.data !== undefined || event.event) tell(event);
        event = {};
        continue;
      }
      const [, name, value] = /^([^:]*):? ?(.*)$/s.exec(line);
      if (name === '') tell({ comment: value });
      else if (name === 'data' && event.data !== undefined) event.data += '\n' + value;
      else event[name] = value;
    }
  };
}
