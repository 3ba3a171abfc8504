// What every page draws with: htm's templates over Preact. Text in a template becomes a text node, never markup.
import { h } from 'preact';
import htm from 'htm';

export const html = htm.bind(h);
