// For those who work on the console: serves it, built anew at each request, at a port of its own, and passes on the calls of the API to a running shuntd.
//   node console/dev.mjs [--api http://127.0.0.1:7481] [--port 7490]
import { createServer, request } from 'node:http';
import { files } from './build.mjs';

const option = (name, initial) => (process.argv.includes(name) ? process.argv[process.argv.indexOf(name) + 1] : initial);
const api = new URL(option('--api', 'http://127.0.0.1:7481'));
const types = { html: 'text/html; charset=utf-8', js: 'text/javascript; charset=utf-8', css: 'text/css; charset=utf-8', svg: 'image/svg+xml' };
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

// Host and Origin become those of the server, which takes requests of no other site.
function passOn(incoming, outgoing) {
  const headers = { ...incoming.headers, host: api.host };
  if (headers.origin) headers.origin = api.origin;
  const asked = request(new URL(incoming.url, api), { method: incoming.method, headers }, (answer) => {
    outgoing.writeHead(answer.statusCode, answer.headers);
    answer.pipe(outgoing);
  });
  asked.on('error', () => outgoing.destroy());
  outgoing.on('close', () => asked.destroy());
  incoming.pipe(asked);
}

const server = createServer(async (incoming, outgoing) => {
  if (incoming.url.startsWith('/api/')) return passOn(incoming, outgoing);
  const name = incoming.url.replace(/^\/console\/|\?.*/g, '') || 'index.html';
  try {
    const bytes = (await files()).get(name);
    if (!bytes) return outgoing.writeHead(incoming.url === '/' ? 302 : 404, { Location: '/console/' }).end();
    return outgoing.writeHead(200, { 'Content-Type': types[name.split('.').pop()], 'Content-Security-Policy': policy }).end(bytes);
  } catch (fault) {
    return outgoing.writeHead(500, { 'Content-Type': 'text/plain' }).end(String(fault));
  }
});
server.listen(Number(option('--port', 0)), '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}/console/`));
