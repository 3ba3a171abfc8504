// shunt_stream: a worker in Node for `shunt work TOPIC --stream -- node WORKER`.
//
//     import { run } from './shunt_stream.mjs'
//     run(async (message) => { console.log('order', message.id, message.json()) })
//
// When the handler returns, or its promise is fulfilled, the message is acked; what it throws is a failed attempt, with its
// name, text and stack. It may throw Reject (failed for good), Retry (failed, again later), Release (given back, uncharged)
// or Late (its deadline leaves no time; uncharged).
// What console.log() prints goes to standard error: standard output belongs to the protocol. process.exit() and a rejection that
// nobody handles end the process, which is charged to the message.
import { writeSync } from 'node:fs'

/** The message can never be handled: to the dead-letter queue at once. */
export class Reject extends Error {}

/** A failed attempt. `delay`: seconds until the next one; without it the group's back-off decides. */
export class Retry extends Error {
  constructor (text = '', delay = undefined) {
    super(text)
    this.delay = delay
  }
}

/** Not handled, and nobody's fault: back to the queue, uncharged. */
export class Release extends Retry {}

/** Its deadline leaves no time for it; nobody is charged: it goes where it would have gone at its deadline. */
export class Late extends Error {}

const bytesOf = (fields, name) => name in fields ? Buffer.from(fields[name]) : name + '_base64' in fields ? Buffer.from(fields[name + '_base64'], 'base64') : null

/** A message: id, topic, group, attempt, deliveries, generation, published, ttl_ms, deadline, remaining_ms, lease_ms, timeout_ms, headers; body and key are buffers; `dead` is of a dead-letter queue alone. */
export class Message {
  constructor (fields) {
    const { body, body_base64, key, key_base64, base_key, base_key_base64, headers, ...rest } = fields
    Object.assign(this, { ttl_ms: null, deadline: null, remaining_ms: null, timeout_ms: null, dead: null }, rest)
    this.headers = Object.fromEntries(Object.entries(headers).map(([name, value]) =>
      [name, typeof value === 'string' ? value : Buffer.from(value.base64, 'base64')]))
    this.body = bytesOf(fields, 'body')
    this.key = bytesOf(fields, 'key')
    this.baseKey = bytesOf(fields, 'base_key') ?? this.key
  }

  json () { return JSON.parse(this.body.toString()) }

  /** The handler is alive: the time limit of `work --timeout` begins anew. */
  heartbeat () { send({ id: this.id, outcome: 'extend' }) }
}

function send (fields) {
  let left = Buffer.from(JSON.stringify(fields) + '\n')
  while (left.length) {
    try {
      left = left.subarray(writeSync(1, left))
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error
    }
  }
}

function failureOf (thrown) {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown))
  const name = error.name === 'Error' ? error.constructor.name : error.name
  const stack = String(error.stack).replace(/^Error/, name) // classes that set no name of their own
  return { error_type: name, error_message: `${name}: ${error.message}`.split('\n')[0], error_stack: stack.slice(0, 16384) }
}

async function answer (handler, message) {
  try {
    await handler(message)
    return { outcome: 'ack' }
  } catch (error) {
    const wait = error?.delay === undefined || !(error instanceof Retry) ? {} : { delay_ms: Math.round(error.delay * 1000) }
    if (error instanceof Release) return { outcome: 'release', ...wait }
    return { outcome: error instanceof Reject ? 'reject' : error instanceof Late ? 'late' : 'nack', ...wait, ...failureOf(error) }
  }
}

/** Lines end with a newline and nothing else: a text may have U+2028 in it. */
async function * linesOf (stream) {
  let begun = []
  for await (let chunk of stream) {
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10)) {
      yield Buffer.concat([...begun, chunk.subarray(0, end)]).toString()
      begun = []
      chunk = chunk.subarray(end + 1)
    }
    begun.push(chunk)
  }
}

/** Handle messages until there are no more, which is when the worker stops. */
export async function run (handler) {
  console.log = console.info = console.debug = console.error
  for await (const line of linesOf(process.stdin)) {
    const message = new Message(JSON.parse(line))
    send({ id: message.id, ...await answer(handler, message) })
  }
}
