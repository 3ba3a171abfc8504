"""shunt: a client for the message broker shunt, with the standard library alone. docs/python.md shows each use.

    import shunt

    with shunt.connect("shunt://127.0.0.1") as broker:
        broker.publish("mails", b"...")
        broker.work("mails", lambda message: print(message.body))
"""

from . import errors
from .admin import dlq_name
from .client import Client, connect
from .consuming import Consumer, Delivery, Failure
from .errors import *  # noqa: F403
from .publishing import Message, Publisher, Receipt, split
from .working import Reject, Release, Retry

__version__ = "0.2.0"
__all__ = ["Client", "Consumer", "Delivery", "Failure", "Message", "Publisher", "Receipt", "Reject", "Release", "Retry", "connect", "dlq_name", "split"]
__all__ += errors.__all__
