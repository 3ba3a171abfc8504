"""unmarked_worker: a worker without libshunt that says in HELLO that it sends no started marks.

usage: unmarked_worker.py URL TOPIC LOG PREFETCH

It acks message by message, and dies of SIGSEGV on a body that begins with `poison`. LOG and the exit status are those of poison_worker.
"""
import os
import resource
import signal
import sys
import types

import wire

IDLE_SECONDS = 0.02


def drained(client, topic):
    info = client.group_show(topic)
    return info["ready"] + info["in_flight"] + info["delayed"] == 0


def main(url, topic, log_path, prefetch):
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    client = wire.connect(types.SimpleNamespace(url=url), client="unmarked", marks=False)
    subscription = client.subscribe(topic, messages=int(prefetch), bytes=1 << 24)
    with open(log_path, "a", encoding="utf-8", buffering=1) as log:
        while True:
            delivery = subscription.next(timeout=IDLE_SECONDS)
            if delivery is None:
                if drained(client, topic):
                    return
                continue
            poison = delivery.message.body.startswith(b"poison")
            log.write(f"{'poison' if poison else 'ack'} {delivery.seq} {delivery.attempts} {delivery.deliveries} {os.getpid()}\n")
            if poison:
                os.kill(os.getpid(), signal.SIGSEGV)
            subscription.ack(delivery)


if __name__ == "__main__":
    main(*sys.argv[1:])
