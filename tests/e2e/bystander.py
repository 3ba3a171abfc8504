"""bystander: a well-behaved client that publishes, receives and acks all the while, and tells if it was disturbed."""
import itertools
import threading

import wire

ROUNDS_MIN = 5
_numbers = itertools.count(1)


class Bystander:
    """As a context, around what is bad. It must get through some rounds before, while and after."""

    def __init__(self, server, timeout=20.0):
        self.client = wire.connect(server, client="bystander", timeout=timeout)
        self.topic = f"bystander-{next(_numbers)}"
        self.rounds, self.failure, self.stopping = 0, None, False
        self.thread = threading.Thread(target=self._run)

    def __enter__(self):
        self.client.topic_create(self.topic)
        self.subscription = self.client.subscribe(self.topic)
        self.thread.start()
        self._go_on()
        return self

    def __exit__(self, kind, *_):
        try:
            if kind is None:
                self._go_on()
        finally:
            self.stopping = True
            self.thread.join()
            self.client.close()

    def _run(self):
        try:
            while not self.stopping:
                body = b"round %d" % self.rounds
                self.client.publish(self.topic, body)
                delivery = self.subscription.next()
                if delivery is None or (delivery.message.body, delivery.attempts, delivery.deliveries) != (body, 0, 1):
                    raise AssertionError(f"got {delivery} in round {self.rounds}")
                if self.subscription.ack(delivery):
                    raise AssertionError(f"the ack of round {self.rounds} had no effect")
                self.rounds += 1
        except Exception as error:  # whatever it is: it is told in the test's thread
            self.failure = error

    def _go_on(self):
        wanted = self.rounds + ROUNDS_MIN
        wire.until(lambda: self.failure or self.rounds >= wanted, 60, "the bystander stands still")
        if self.failure:
            raise AssertionError(f"the bystander was disturbed in round {self.rounds}: {self.failure!r}")
