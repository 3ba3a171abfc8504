"""probe: a well-behaved client that publishes, receives and acks so many times and so long, and says how long a round took.

probe.py PORT TOPIC ROUNDS SECONDS [CA]     prints one line of JSON: p50, p99 and the longest, in milliseconds

With CA it speaks TLS with a server whose certificate is of this authority.
"""
import json
import pathlib
import ssl
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "wire"))
from client import Client, ShuntError  # noqa: E402

WARM_UP = 20  # rounds that do not count


def main():
    port, topic, rounds, seconds = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
    client = Client(port, timeout=60.0, tls=ssl.create_default_context(cafile=sys.argv[5]) if len(sys.argv) > 5 else None)
    try:
        client.topic_create(topic)
    except ShuntError as error:
        if error.name != "TOPIC_EXISTS":
            raise
    subscription = client.subscribe(topic)
    times, end = [], time.monotonic() + seconds
    while len(times) < rounds + WARM_UP or time.monotonic() < end:
        number, begin = len(times), time.monotonic()
        client.publish(topic, b"%d" % number)
        row = subscription.next()
        if row is None or row.message.body != b"%d" % number or row.attempts or subscription.ack(row):
            raise AssertionError(f"round {number}: {row}")
        times.append((time.monotonic() - begin) * 1000)
    times = sorted(times[WARM_UP:])
    print(json.dumps({"p50": times[len(times) // 2], "p99": times[len(times) * 99 // 100], "longest": times[-1]}))
    client.goodbye()


main()
