// Builds console/dist from console/src. The same sources give the same bytes: `--check` compares instead of writing, and ends with 1 if dist is not
// what the sources give. In all, dist has at most 60 KiB when each file is compressed.
import { build } from 'esbuild';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const here = dirname(fileURLToPath(import.meta.url));
const most = 60 * 1024;
const options = { absWorkingDir: here, bundle: true, minify: true, write: false, charset: 'utf8', target: ['es2022', 'chrome111', 'firefox113', 'safari16.4'], legalComments: 'none', logLevel: 'warning' };

// File name to bytes.
export async function files() {
  const script = await build({ ...options, entryPoints: ['src/main.js'], format: 'esm', outfile: 'console.js' });
  const style = await build({ ...options, entryPoints: ['src/style/console.css'], outfile: 'console.css' });
  const notice = '/* shunt console. Contains Preact (MIT, Jason Miller) and htm (Apache-2.0, Google). */\n';
  return new Map([
    ['index.html', await readFile(join(here, 'src/index.html'))],
    ['console.js', Buffer.from(notice + script.outputFiles[0].text)],
    ['console.css', Buffer.from(style.outputFiles[0].text)],
    ['icon.svg', await readFile(join(here, 'src/icon.svg'))],
  ]);
}

async function main(check) {
  const dist = join(here, 'dist');
  await mkdir(dist, { recursive: true });
  let sum = 0;
  let differs = false;
  for (const [name, bytes] of await files()) {
    const size = gzipSync(bytes, { level: 9 }).length;
    sum += size;
    console.log(`${name}: ${bytes.length} bytes, ${size} compressed`);
    if (!check) await writeFile(join(dist, name), bytes);
    else if (!bytes.equals(await readFile(join(dist, name)).catch(() => Buffer.alloc(0)))) {
      differs = true;
      console.error(`dist/${name} is not what the sources give: run node console/build.mjs`);
    }
  }
  console.log(`all: ${sum} compressed of at most ${most}`);
  if (sum > most) console.error('dist is too large');
  return differs || sum > most ? 1 : 0;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = await main(process.argv.includes('--check'));
