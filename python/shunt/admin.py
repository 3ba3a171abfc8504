"""admin: topics, groups, dead letters, causes, rules, users, jobs and the audit log. Each call is one request of the protocol, whose page says what the maps hold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from . import errors, protocol
from .link import Link

Info = dict[str, Any]
ALL = 2**64 - 1


class Admin:
    """`policy` is of the settings of section 8, by their names there: max_attempts=3, lease_ms=60000; None restores the default.
    `reason` is kept in the audit log."""

    _link: Link
    _timeout: float

    def _ask(self, op: int, *fields: object) -> Any:
        """The first field of the answer."""
        answer = self._request(op, *fields)
        if not answer:
            raise errors.Protocol(f"an answer to {op} of another shape")
        return answer[0]

    def _request(self, op: int, *fields: object) -> list[Any]:
        return self._link.request(op, *fields, timeout=self._timeout)

    def _pages(self, op: int, *fields: object, after: object, behind: tuple[object, ...] = (), name: str = "topic") -> Iterator[Info]:
        """All rows. What the next page begins behind is told with a page, or is the last row's `name`."""
        while True:
            rows, more, *rest = self._request(op, *fields, after, None, *behind)
            yield from rows
            if not more or not (rows or rest):
                return
            after = rest[0] if rest else rows[-1][name]

    # ---- topics and groups ----

    def topic_create(self, topic: str, *, groups: list[str] | None = None, reason: str | None = None, **policy: int | None) -> None:
        self._request(protocol.TOPIC_CREATE, topic, policy, groups, reason)

    def topic_update(self, topic: str, *, reason: str | None = None, **policy: int | None) -> None:
        self._request(protocol.TOPIC_UPDATE, topic, policy, reason)

    def topic_show(self, topic: str) -> Info:
        return dict(self._ask(protocol.TOPIC_SHOW, topic))

    def overview(self) -> Iterator[Info]:
        """Every group in a few numbers, in the order of the topics' names. What is 0, false or None is not there."""
        return self._pages(protocol.OVERVIEW, after="")

    def topic_list(self) -> Iterator[Info]:
        return self._pages(protocol.TOPIC_LIST, after=None)

    def topic_delete(self, topic: str, *, reason: str | None = None) -> int:
        """The number of the job that removes it."""
        return int(self._ask(protocol.TOPIC_DELETE, topic, reason))

    def topic_purge(self, topic: str, group: str | None = None, *, reason: str | None = None) -> int:
        """Drop what is ready or delayed; the number of the job, 0 if there is nothing to do."""
        return int(self._ask(protocol.TOPIC_PURGE, topic, group, reason))

    def group_create(self, topic: str, group: str, *, start: str | None = None, reason: str | None = None, **policy: int | None) -> None:
        """`start`: "oldest" (the default), the oldest message stored, or "now", the next one published."""
        self._request(protocol.GROUP_CREATE, topic, group, policy, start, reason)

    def group_update(self, topic: str, group: str = "default", *, reason: str | None = None, **policy: int | None) -> None:
        self._request(protocol.GROUP_UPDATE, topic, group, policy, reason)

    def group_show(self, topic: str, group: str = "default") -> Info:
        return dict(self._ask(protocol.GROUP_SHOW, topic, group))

    def group_list(self, topic: str) -> list[Info]:
        return list(self._ask(protocol.GROUP_LIST, topic))

    def group_delete(self, topic: str, group: str, *, reason: str | None = None) -> int:
        return int(self._ask(protocol.GROUP_DELETE, topic, group, reason))

    def group_pause(self, topic: str, group: str = "default", *, reason: str | None = None) -> None:
        self._request(protocol.GROUP_PAUSE, topic, group, reason)

    def group_resume(self, topic: str, group: str = "default", *, reason: str | None = None) -> None:
        self._request(protocol.GROUP_RESUME, topic, group, reason)

    def group_reset_breaker(self, topic: str, group: str = "default", *, reason: str | None = None) -> None:
        """Close the breaker of a group; it opens again if messages fail as before."""
        self._request(protocol.BREAKER_RESET, topic, group, reason)

    def group_holders(self, topic: str, group: str = "default") -> Iterator[Info]:
        """The messages in flight, each with its holder."""
        return self._pages(protocol.GROUP_HOLDERS, topic, group, after=0)

    def keys(self, topic: str, group: str | None = None, *, by: str = "rate", limit: int = 100) -> Info:
        """Which keys weigh most, the heaviest first. `by`: rate (of the topic), or of a group (default: `default`) waiting, in_flight, failures or blocked. The
        keys are bytes. All but blocked are estimates; what their error is at most stands beside them."""
        return dict(self._ask(protocol.KEY_LIST, topic, group, by, limit))

    def peek(self, topic: str, group: str = "default", *, bodies: bool = False) -> Iterator[Info]:
        """Messages that are ready, delayed or in flight, in order of `seq`, without taking any. With `bodies` also `body`, `headers` and `key`, which are None
        if the stored message cannot be read. For a dead-letter queue use dlq_list()."""
        for row in self._pages(protocol.PEEK, topic, group, after=0, behind=(bodies,)):
            if bodies:
                message = [*(row.pop("message") or []), None, None, None]  # what is not there may be left out at the end
                row["body"], row["headers"], row["key"] = message[0], message[1] or {}, message[2]
            yield row

    # ---- dead letters ----

    def dlq_list(self, topic: str, group: str = "default", **filter: Any) -> Iterator[Info]:
        """Dead letters, the oldest first. `filter`: cause, reason, type, match, since, header, key."""
        return self._pages(protocol.DLQ_LIST, topic, group, after=0, behind=(filter or None,))

    def dlq_show(self, topic: str, message: str, group: str = "default", *, original: bool | None = None) -> Info:
        """One dead letter, with body, stack and history. `message`: its id, its origin's name, or its number in the DLQ."""
        return dict(self._ask(protocol.DLQ_SHOW, topic, group, message, original))

    def dlq_edit(
        self, topic: str, message: str, body: bytes | str | None, group: str = "default", *, edit: int | None = None, reason: str | None = None
    ) -> int:
        """Give a dead letter another body, for its group alone; None: the one that it was published with. `edit` is the one that dlq_show() told: Stale is
        raised if somebody has edited the letter since. Returns the number of this edit, 0 for the body as published."""
        return int(self._ask(protocol.DLQ_EDIT, topic, group, message, edit, body.encode() if isinstance(body, str) else body, reason))

    def dlq_redrive(
        self, topic: str, messages: list[str] | None = None, *, group: str = "default", count: int | None = None, rate: int = 0,
        filter: Info | None = None, options: Info | None = None, reason: str | None = None
    ) -> tuple[int, int]:
        """Give dead letters back to the group that failed: those named, or the oldest `count` (None: all) that `filter` lets through. Returns the number of the
        job (0: there is nothing to do) and how many letters it will touch. `rate`: messages a second, 0: as fast as possible."""
        with_filter = {**(filter or {}), **(options or {})}
        job, touched = self._request(protocol.DLQ_REDRIVE, topic, group, _which(messages, count, bool(with_filter)), rate, with_filter or None, reason)[:2]
        return int(job), int(touched)

    def dlq_purge(
        self, topic: str, messages: list[str] | None = None, *, group: str = "default", count: int | None = None, filter: Info | None = None, reason: str | None = None
    ) -> tuple[int, int]:
        """Drop dead letters for good; otherwise as dlq_redrive()."""
        job, touched = self._request(protocol.DLQ_PURGE, topic, group, _which(messages, count, bool(filter)), filter, reason)[:2]
        return int(job), int(touched)

    def dlq_causes(self, topic: str, group: str = "default") -> list[Info]:
        """What the dead letters died of, the most pressing first."""
        return list(self._ask(protocol.DLQ_CAUSES, topic, group))

    def dlq_cause(self, topic: str, cause: str, group: str = "default") -> Info:
        return dict(self._ask(protocol.DLQ_CAUSE, topic, group, cause))

    def dlq_attend(self, topic: str, group: str = "default", *, cause: str | None = None, messages: list[str] | None = None) -> int:
        """Note that somebody has looked; how many of what was named were there."""
        return int(self._ask(protocol.DLQ_ATTEND, topic, group, cause, messages))

    def cause_update(self, topic: str, cause: str, group: str = "default", *, state: str | None = None, owner: str | None = None, note: str | None = None, reason: str | None = None) -> int:
        change = {name: value for name, value in (("state", state), ("owner", owner), ("note", note)) if value is not None}
        return int(self._ask(protocol.CAUSE_UPDATE, topic, group, cause, change, reason))

    # ---- rules ----

    def rule_set(
        self, topic: str, group: str = "default", *, rule: int = 0, filter: Info | None = None, action: str | None = None, to: str | None = None, times: int | None = None,
        wait_ms: int | None = None, wait_max_ms: int | None = None, disabled: bool | None = None, reason: str | None = None
    ) -> int:
        """What is done by itself with dead letters of the group as they come, all or those that `filter` lets through (as dlq_list(), without since).
        `action`: "mute", "discard", "move" (to the topic `to`) or "redrive" (so many `times`, after a random wait up to `wait_ms` that doubles up to `wait_max_ms`).
        `rule` is its number and place, 0: behind the last. Without an `action` the rule is turned off or on (`disabled`). Returns its number."""
        given = {"action": action, "to": to, "times": times, "wait_ms": wait_ms, "wait_max_ms": wait_max_ms, "disabled": disabled}
        options = {name: value for name, value in given.items() if value is not None}
        return int(self._ask(protocol.RULE_SET, topic, group, rule, filter, options, reason))

    def rule_list(self, topic: str, group: str = "default") -> list[Info]:
        """The rules in the order in which they are asked, each with what it has done."""
        return list(self._ask(protocol.RULE_LIST, topic, group))

    def rule_delete(self, topic: str, rule: int, group: str = "default", *, reason: str | None = None) -> None:
        """Letters that wait for it stay dead."""
        self._request(protocol.RULE_DELETE, topic, group, rule, reason)

    def rule_test(self, topic: str, group: str = "default", *, rule: int = 0, filter: Info | None = None) -> list[Info]:
        """Which of the letters that lie in the queue now a rule with this filter and number would match, by cause: `cause`, `title`, `count`, and `earlier`,
        of those on which a rule before it would decide. Without a `filter`: that of the rule which has the number. It changes nothing."""
        causes: dict[object, Info] = {}
        for row in self._pages(protocol.RULE_TEST, topic, group, rule, filter, after=0):
            seen = causes.setdefault(row["cause"], {**row, "count": 0, "earlier": 0})
            seen["count"] += row["count"]
            seen["earlier"] += row["earlier"]
        return list(causes.values())

    # ---- users, roles and tokens ----

    def user_set(
        self, user: str, *, must_be: str | None = None, verifier: str | None = None, certificates: list[str] | None = None, roles: list[str] | None = None,
        grants: list[str] | None = None, disabled: bool | None = None, reason: str | None = None
    ) -> None:
        """Make a user, or change what is given of it; a list takes the place of the one before. `must_be`: "new" or "there". `verifier` is the PHC string of
        Argon2id by which its password is verified, "" for none: the password itself is not sent. `grants` are PATTERN:RIGHT,RIGHT, as in "orders.*:publish,look"."""
        given = {"must_be": must_be, "password": verifier, "certificates": certificates, "roles": roles, "grants": grants,
                 "state": None if disabled is None else "disabled" if disabled else "enabled"}
        self._request(protocol.USER_SET, user, {name: value for name, value in given.items() if value is not None}, reason)

    def user_list(self) -> Iterator[Info]:
        return self._pages(protocol.USER_LIST, after=None, name="user")

    def user_show(self, user: str) -> Info:
        return dict(self._ask(protocol.USER_LIST, None, None, user)[0])

    def user_delete(self, user: str, *, reason: str | None = None) -> int:
        """How many tokens went with it."""
        return int(self._ask(protocol.USER_DELETE, user, reason))

    def role_set(self, role: str, grants: list[str], *, must_be: str | None = None, reason: str | None = None) -> None:
        """Make a role, or change it: `grants` are all that it gives."""
        self._request(protocol.ROLE_SET, role, {"grants": grants} | ({"must_be": must_be} if must_be else {}), reason)

    def role_list(self) -> Iterator[Info]:
        return self._pages(protocol.ROLE_LIST, after=None, name="role")

    def role_delete(self, role: str, *, reason: str | None = None) -> None:
        self._request(protocol.ROLE_DELETE, role, reason)

    def token_create(self, user: str | None = None, *, lifetime_ms: int | None = None, note: str | None = None, reason: str | None = None) -> tuple[int, str]:
        """The number of a new token of the user (None: oneself), and the token, which is told this once."""
        number, text, *_ = self._request(protocol.TOKEN_CREATE, user, lifetime_ms, note, reason)
        return int(number), str(text)

    def token_list(self, user: str | None = None) -> Iterator[Info]:
        return self._pages(protocol.TOKEN_LIST, after=0, behind=(user,))

    def token_revoke(self, token: int, *, user: str | None = None, reason: str | None = None) -> None:
        self._request(protocol.TOKEN_REVOKE, token, user, reason)

    def whoami(self) -> Info:
        """The user of this connection, and what it may do."""
        return dict(self._ask(protocol.WHOAMI))

    # ---- jobs, and the whole ----

    def job_list(self) -> Iterator[Info]:
        """Those that run, and the last 100 that are over."""
        return self._pages(protocol.JOB_LIST, after=None, name="job")

    def job_show(self, job: int) -> Info:
        return dict(self._ask(protocol.JOB_SHOW, job))

    def job_cancel(self, job: int, *, reason: str | None = None) -> None:
        self._request(protocol.JOB_CANCEL, job, reason)

    def job_pause(self, job: int, *, reason: str | None = None) -> None:
        """A redrive or purge waits until job_resume(), also over a restart."""
        self._request(protocol.JOB_PAUSE, job, reason)

    def job_resume(self, job: int, *, reason: str | None = None) -> None:
        self._request(protocol.JOB_RESUME, job, reason)

    def audit(self, *, since: int | None = None, until: int | None = None, topic: str | None = None, act: str | None = None) -> Iterator[Info]:
        """What operators did, the oldest act first, each with who (`user`, `client`, `host`, `peer`), what (`asked`) and why (`reason`). `since` and `until` (not
        itself) are milliseconds since 1970."""
        given = {"since": since, "until": until, "topic": topic, "act": act}
        return self._pages(protocol.AUDIT_LIST, after=0, behind=({name: value for name, value in given.items() if value is not None} or None,))

    def why(self, message: str, group: str | None = None) -> Info:
        """What happened to a message, `TOPIC/SEQ`, in each group."""
        topic, slash, seq = message.rpartition("/")
        if not slash or not (seq.isascii() and seq.isdigit()):
            raise errors.BadArgument(f"a message is named TOPIC/SEQ, as in orders/1042, not {message!r}")
        return dict(self._ask(protocol.WHY, topic, int(seq), group))

    def client_list(self) -> Iterator[Info]:
        """The connections of the broker."""
        return self._pages(protocol.CLIENT_LIST, after=0)

    def stats(self) -> Info:
        return dict(self._ask(protocol.STATS))


def _which(messages: list[str] | None, count: int | None, with_filter: bool) -> Info:
    if messages is not None:
        if count is not None:
            raise errors.BadArgument("either messages are named, or a count is given")
        return {"ids": messages}
    if with_filter:
        return {"matching": ALL if count is None else count}
    return {"all": True} if count is None else {"count": count}


def dlq_name(topic: str, group: str = "default") -> str:
    """The dead-letter queue of a group, to be consumed like a topic."""
    return f"dlq:{topic}:{group}"
