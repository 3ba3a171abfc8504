"""errors: one class for each error of the protocol (proto/PROTOCOL.md, section 9), all beneath Error."""

from __future__ import annotations

from . import protocol

__all__ = [
    "Error", "Protocol", "VersionMismatch", "Unauthenticated", "Forbidden", "BadArgument", "BadName", "Reserved", "TooLarge", "Unsupported",
    "UnknownTopic", "UnknownGroup", "TopicExists", "GroupExists", "NotFound", "Stale", "LastGroup", "TopicFull", "NoSpace", "TooMany", "DedupWindow",
    "NotLeader", "Unavailable", "ShuttingDown", "DeadlineExceeded", "Unreachable", "Disconnected", "Timeout", "Closed", "Empty", "Busy", "NoMemory", "InputOutput",
    "Corrupt", "StoreLocked", "StoreVersion", "StoreTruncated", "StoreReadOnly", "Internal",
]


class Error(Exception):
    """Something that shunt refused or could not do.

    code       its number in the protocol; 0 if this module does not know it
    name       its name there, as in UNKNOWN_TOPIC
    text       one line for people, in the broker's words if the broker sent it
    may_retry  the same call may succeed later
    retry_after  seconds that the broker wants to be left alone; 0 if it did not say
    accepted   of a publish of several: the numbers of those that were stored all the same
    """

    code = 0
    name = "UNKNOWN"
    may_retry = False

    def __init__(self, text: str = "") -> None:
        super().__init__(text)
        self.text = text
        self.retry_after = 0.0
        self.accepted: list[int] = []

    def again(self) -> Error:
        """The same error for another raise, which gets a traceback of its own."""
        other = type(self)(self.text)
        other.code, other.name, other.may_retry = self.code, self.name, self.may_retry
        other.retry_after = self.retry_after
        return other

    def __str__(self) -> str:
        return f"{self.name}: {self.text}" if self.text else self.name


class Protocol(Error):
    """The peer sent bytes that are not a valid frame, or another client has taken the producer id."""

    code, name = 1, "PROTOCOL"


class VersionMismatch(Error):
    """Client and broker have no protocol version in common."""

    code, name = 2, "VERSION_MISMATCH"


class Unauthenticated(Error):
    """Credentials are missing or wrong."""

    code, name = 3, "UNAUTHENTICATED"


class Forbidden(Error):
    """Not permitted."""

    code, name = 4, "FORBIDDEN"


class BadArgument(Error, ValueError):
    """An argument is missing, malformed or out of range."""

    code, name = 5, "BAD_ARGUMENT"


class BadName(Error, ValueError):
    """Not a valid name of a topic or group."""

    code, name = 6, "BAD_NAME"


class Reserved(Error, ValueError):
    """The name is reserved for dead-letter queues."""

    code, name = 7, "RESERVED"


class TooLarge(Error, ValueError):
    """Larger than a limit."""

    code, name = 8, "TOO_LARGE"


class Unsupported(Error):
    """The broker does not know this operation."""

    code, name = 9, "UNSUPPORTED"


class UnknownTopic(Error):
    """No such topic."""

    code, name = 20, "UNKNOWN_TOPIC"


class UnknownGroup(Error):
    """No such group."""

    code, name = 21, "UNKNOWN_GROUP"


class TopicExists(Error):
    """The topic exists already."""

    code, name = 22, "TOPIC_EXISTS"


class GroupExists(Error):
    """The group exists already."""

    code, name = 23, "GROUP_EXISTS"


class NotFound(Error):
    """No such message, dead letter, job, rule, subscription, user, role or token."""

    code, name = 24, "NOT_FOUND"


class Stale(Error):
    """The delivery is no longer this consumer's: its lease was over, or it was answered before. Do not try again."""

    code, name = 25, "STALE"


class LastGroup(Error):
    """A topic keeps at least one group."""

    code, name = 26, "LAST_GROUP"


class TopicFull(Error):
    """The topic's limit on messages or bytes is reached."""

    code, name, may_retry = 27, "TOPIC_FULL", True


class NoSpace(Error):
    """The store has no room for this now."""

    code, name, may_retry = 28, "NO_SPACE", True


class TooMany(Error):
    """A limit on connections, subscriptions, topics, groups or jobs is reached."""

    code, name, may_retry = 29, "TOO_MANY", True


class DedupWindow(Error):
    """The number of the publish is older than the window in which answers are kept."""

    code, name = 30, "DEDUP_WINDOW"


class NotLeader(Error):
    """Another server leads."""

    code, name, may_retry = 40, "NOT_LEADER", True


class Unavailable(Error):
    """The server cannot answer now."""

    code, name, may_retry = 41, "UNAVAILABLE", True


class ShuttingDown(Error):
    """The server is stopping."""

    code, name, may_retry = 42, "SHUTTING_DOWN", True


class DeadlineExceeded(Error, TimeoutError):
    """The call's time was over before the broker came to it: nothing was done."""

    code, name, may_retry = 43, "DEADLINE_EXCEEDED", True


class Unreachable(Error, ConnectionError):
    """Could not connect. Nothing was sent."""

    code, name, may_retry = 60, "UNREACHABLE", True


class Disconnected(Error, ConnectionError):
    """The connection was lost: whether the call took effect is unknown."""

    code, name, may_retry = 61, "DISCONNECTED", True


class Timeout(Error, TimeoutError):
    """The time was over: whether the call took effect is unknown."""

    code, name, may_retry = 62, "TIMEOUT", True


class Closed(Error):
    """The client or consumer is closed."""

    code, name = 63, "CLOSED"


class Empty(Error):
    """There is nothing to return now."""

    code, name, may_retry = 64, "EMPTY", True


class Busy(Error):
    """The window is full."""

    code, name, may_retry = 65, "BUSY", True


class NoMemory(Error):
    """The broker is out of memory."""

    code, name, may_retry = 80, "NO_MEMORY", True


class InputOutput(Error):
    """A system call of the broker failed."""

    code, name = 81, "IO"


class Corrupt(Error):
    """Stored data failed its checksum or is malformed."""

    code, name = 82, "CORRUPT"


class StoreLocked(Error):
    """Another process uses the data directory."""

    code, name = 83, "STORE_LOCKED"


class StoreVersion(Error):
    """The store was written by a version that this one cannot read."""

    code, name = 84, "STORE_VERSION"


class StoreTruncated(Error):
    """The store's file is shorter than its contents."""

    code, name = 85, "STORE_TRUNCATED"


class StoreReadOnly(Error):
    """The data directory cannot be written."""

    code, name = 86, "STORE_READ_ONLY"


class Internal(Error):
    """A bug in shunt."""

    code, name = 99, "INTERNAL"


BY_CODE: dict[int, type[Error]] = {kind.code: kind for kind in Error.__subclasses__()}


def error_of(code: int, text: str = "", name: str | None = None, may_retry: bool | None = None, retry_after_ms: object = None) -> Error:
    """The error of that code. Of one that is not known, the broker's word counts: its name, and whether to try again."""
    error = BY_CODE.get(code, Error)(text)
    if type(error) is Error:
        error.code, error.name = code, name or f"ERROR_{code}"
    if may_retry is not None:
        error.may_retry = may_retry
    if type(retry_after_ms) is int and retry_after_ms > 0:
        error.retry_after = min(retry_after_ms, protocol.RETRY_AFTER_MS_MAX) / 1000
    return error
