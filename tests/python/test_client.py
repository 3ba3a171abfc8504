"""The Python package without a broker: its tables, what it refuses of its own user, and what it bears from a server that means no good."""

import os
import pathlib
import re
import signal
import socket
import struct
import tempfile
import threading
import tracemalloc
import unittest
import unittest.mock

import package
import shunt
from shunt import admin, errors, frames, login, packing, protocol, url
from shunt.link import Backoff, patient

PAGE = (package.ROOT / "proto" / "PROTOCOL.md").read_text(encoding="utf-8")
INFO = {"server": "fake", "max_body_bytes": 1 << 20, "max_frame_bytes": protocol.FRAME_BYTES_MAX, "max_messages": 16384, "dedup_frames": 64, "now": 0, "features": []}


class Tables(unittest.TestCase):
    def test_errors_are_those_of_the_page(self):
        rows = re.findall(r"^\| (\d+) \| `(\w+)` \| (yes|no) \|", PAGE, re.M)
        self.assertGreater(len(rows), 30)
        self.assertEqual({(kind.code, kind.name, kind.may_retry) for kind in errors.BY_CODE.values()}, {(int(code), name, retry == "yes") for code, name, retry in rows})

    def test_limits_are_those_of_the_page(self):
        on_page = {name: int(value) for name, value in re.findall(r"^\| `(\w+)` \| (\d+) \|", PAGE.split("## 10.")[1], re.M)}
        self.assertGreater(len(protocol.LIMITS), 5)
        self.assertEqual(protocol.LIMITS, {name: on_page.get(name) for name in protocol.LIMITS})

    def test_operations_are_those_of_the_page(self):
        rows = re.findall(r"^([A-Z_]+) +\[(\d+), ", PAGE, re.M) + re.findall(r"^\| (\d+) (OK|ERROR) \|", PAGE, re.M)
        on_page = {(name, int(number)) if number.isdigit() else (number, int(name)) for name, number in rows}
        here = {(name, value) for name, value in vars(protocol).items() if name.isupper() and isinstance(value, int) and not name.endswith("_MAX")}
        others = {("VERSION", 1), ("PORT_DEFAULT", 7480), ("DEADLINE_LAST_MS", 253402300799999), *((name, number) for number, name in enumerate(["ACK", "NACK", "REJECT", "RELEASE", "EXTEND", "LATE"]))}
        self.assertGreater(len(here - others), 40)
        self.assertEqual(here - others - on_page, set())

    def test_an_error_that_is_not_known_has_the_brokers_word(self):
        error = errors.error_of(77, "it is late", "LATE", True)
        self.assertEqual((type(error), error.code, error.name, error.may_retry, str(error)), (shunt.Error, 77, "LATE", True, "LATE: it is late"))
        self.assertEqual((shunt.Error.code, error.again().name), (0, "LATE"))
        self.assertIsInstance(errors.error_of(62), TimeoutError)


class Url(unittest.TestCase):
    def test_hosts(self):
        self.assertEqual(url.parse_url("shunt://a.b:1,[::1]:65535,c-d_e/"), ([("a.b", 1), ("::1", 65535), ("c-d_e", 7480)], None, url.Auth()))
        self.assertEqual([str(host) for host in url.parse_url("shunt://[::1],h:9")[0]], ["[::1]:7480", "h:9"])
        self.assertEqual(len(url.parse_url("shunt://" + ",".join(["h"] * 16))[0]), 16)

    def test_what_could_mean_two_things_is_refused(self):
        for text in ("http://h", "h", "shunt://", "shunt://h,", "shunt://h:", "shunt://h:0", "shunt://h:65536", "shunt://h:1x", "shunt://::1", "shunt://[h]", "shunt://[]", "shunt://h/path",
                     "shunt://a@b", "shunt://-h", "shunt://h h", "shunt://" + "x" * 256, "shunt://" + ",".join(["h"] * 17), "shunt://[::1", "shunt://h:1:2", "shunt://h\n"):
            with self.subTest(text), self.assertRaises(shunt.BadArgument):
                url.parse_url(text)


    def test_tls_is_a_scheme_of_its_own_with_files_behind_it(self):
        tls = url.Tls
        for text, expected in (("shunts://h", tls()), ("shunts://h:1,i/?ca=/a%20b%26c", tls("/a b&c")), ("shunts://h?cert=c&key=k&ca=a", tls("a", "c", "k"))):
            self.assertEqual(url.parse_url(text)[1], expected)
        for text in ("shunt://h?ca=a", "shunts://h?", "shunts://h?ca=", "shunts://h?ca", "shunts://h?cert=c", "shunts://h?key=k", "shunts://h?ca=a&ca=b", "shunts://h?x=y", "shunts://h?ca=%2",
                     "shunts://h?ca=%00", "shunts://h?ca=a&", "shunts://?ca=a"):
            with self.subTest(text), self.assertRaises(shunt.BadArgument):
                url.parse_url(text)


    def test_a_path_of_this_machine_is_all_there_is(self):
        self.assertEqual(url.parse_url("shunt+unix:///run/a%20b"), ([("/run/a b", 0)], None, url.Auth()))
        self.assertEqual(str(url.parse_url("shunt+unix:///run/a")[0][0]), "/run/a")
        self.assertEqual(len(url.parse_url("shunt+unix:///" + "a" * 106)[0][0].name), url.PATH_BYTES_MAX)
        for text in ("shunt+unix://", "shunt+unix:///", "shunt+unix://run/x", "shunt+unix:///a?x=y", "shunt+unix:///a&b", "shunt+unix:///a#b", "shunt+unix:///a%2", "shunt+unix:///a%00",
                     "shunt+unix:///a/", "shunts+unix:///a", "shunt+unix:///" + "a" * 107):
            with self.subTest(text), self.assertRaises(shunt.BadArgument):
                url.parse_url(text)


    def test_who_one_is(self):
        auth = url.Auth
        for text, expected in (("shunt://h?user=ann&password-file=/p%20q", auth("ann", "/p q")), ("shunts://h?ca=a&token-file=t&insecure=yes", auth(None, None, "t", "yes"))):
            self.assertEqual(url.parse_url(text).auth, expected)
        for text in ("shunt://h?user=", "shunt://h?user=a&user=b", "shunt://h?password_file=p", "shunt://h?password=p", "shunt://h?token=t", "shunt://h?insecure=no", "shunt://a@h"):
            with self.subTest(text), self.assertRaises(shunt.BadArgument):
                url.parse_url(text)


class Login(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="python-login-")
        self.addCleanup(directory.cleanup)
        self.path = pathlib.Path(directory.name) / "secret"

    def write(self, data, mode=0o600):
        self.path.write_bytes(data)
        self.path.chmod(mode)
        return self.path

    def login(self, query="", **arguments):
        return login.login_of(url.parse_url(f"shunt://h{query}").auth, *(arguments.get(name) for name in ("user", "password", "password_file", "token", "token_file")))

    def test_what_is_said_to_the_broker(self):
        self.assertIsNone(self.login())
        self.assertEqual(self.login(user="ann", password="p").auth(), {"mechanism": "password", "user": "ann", "password": "p"})
        self.assertEqual(self.login(token="t").auth(), {"mechanism": "token", "token": "t"})
        path = self.write(b"first\r\nsecond\n")
        self.assertEqual(self.login(f"?user=ann&password-file={path}").auth()["password"], "first")
        one = self.login(token_file=path)
        self.write(b"renewed")
        self.assertEqual(one.auth()["token"], "renewed", "it is read each time")
        self.assertNotIn("secret", repr(self.login(user="ann", password="secret")))

    def test_what_does_not_fit_is_refused(self):
        path = self.write(b"x")
        for query, arguments in (("", {"user": "ann"}), ("", {"password": "p"}), ("?user=ann", {}), ("?user=ann", {"user": "bob", "password": "p"}), ("", {"user": "a", "token": "t"}),
                                 ("", {"token": "t", "token_file": path}), (f"?token-file={path}", {"token": "t"}), ("", {"token": ""}), ("", {"token": "t" * 1025})):
            with self.subTest(query=query, arguments=arguments), self.assertRaises(shunt.BadArgument):
                self.login(query, **arguments)

    def test_a_file_that_cannot_hold_a_secret_is_refused(self):
        for data, mode in ((b"x", 0o604), (b"x", 0o602), (b"", 0o600), (b"\nx", 0o600), (b"x\0y", 0o600), (b"x" * 1025, 0o600), (b"\xff", 0o600)):
            with self.subTest(data[:9], mode=oct(mode)), self.assertRaises(shunt.BadArgument) as caught:
                self.login(token_file=self.write(data, mode))
            self.assertIn(str(self.path), str(caught.exception))
        self.login(token_file=self.write(b"x" * 1024))
        with self.assertRaises(shunt.BadArgument):
            self.login(token_file=self.path.parent / "none")

    def test_no_secret_goes_plainly_to_another_machine(self):
        for text, refused in (("shunt://h", True), ("shunt://127.0.0.1,10.0.0.1", True), ("shunt://127.9.9.9", False), ("shunt://[::1]", False), ("shunt://localhost", False),
                              ("shunts://h", False), ("shunt://h?insecure=yes", False), ("shunt+unix:///s", False)):
            with self.subTest(text):
                if refused:
                    with self.assertRaises(shunt.BadArgument):
                        shunt.Client(text, token="t")
                else:
                    shunt.Client(text, token="t").close()
        shunt.Client("shunt://h", token="t", insecure=True).close()


class Arguments(unittest.TestCase):
    def test_what_cannot_be_meant_is_refused_before_anything_is_sent(self):
        client = shunt.Client("shunt://127.0.0.1:1", timeout=0.01)
        self.addCleanup(client.close)
        for call in (lambda: client.publish("t", 7), lambda: client.publish("t", b"", headers={"a": 1}), lambda: client.publish("t", b"", key=1), lambda: client.publish("t", b"", delay=-1),
                     lambda: client.publish("t", b"", ttl=1e12), lambda: client.publish("t", b"", number=1), lambda: client.publish("t", b"x" * (21 << 20)), lambda: client.consume("t", window=0),
                     lambda: client.consume("t", window=1025), lambda: client.consume("t", window_bytes=1 << 29), lambda: client.publisher("t", window=0), lambda: shunt.Client(producer=b"x"),
                     lambda: client.why("fruit"), lambda: client.dlq_redrive("t", ["1"], count=1)):
            with self.assertRaises(shunt.Error) as caught:
                call()
            self.assertIn(caught.exception.name, ("BAD_ARGUMENT", "TOO_LARGE"))
        self.assertFalse(client._link.failures, "it has tried to connect")

    def test_nothing_answers(self):
        client = shunt.Client("shunt://127.0.0.1:1", timeout=0.2)
        self.addCleanup(client.close)
        for call in (client.connect, client.ping, lambda: client.publish("t", b""), lambda: client.consume("t")):
            with self.assertRaisesRegex(shunt.Unreachable, "127.0.0.1:1: .*refused"):
                call()
        self.assertFalse(client._outbox.frames, "a message that was never sent lies there to be published later")
        client.close()
        with self.assertRaises(shunt.Closed):
            client.ping()

    def test_a_forked_child_is_told(self):
        client = shunt.Client("shunt://127.0.0.1:1", timeout=0.2)
        self.addCleanup(client.close)
        child = os.fork()
        if child == 0:
            try:
                client.ping()
            except shunt.Closed:
                os._exit(42)
            os._exit(0)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 42)

    def test_a_forked_child_does_not_wait_for_a_lock_that_nobody_gives_back(self):
        client = shunt.Client("shunt://127.0.0.1:1", timeout=0.2)
        self.addCleanup(client.close)
        held, release = threading.Event(), threading.Event()

        def hold():
            with client._link.changed:
                held.set()
                release.wait()

        thread = threading.Thread(target=hold)
        thread.start()
        held.wait()
        child = os.fork()
        if child == 0:
            signal.alarm(20)
            try:
                client.ping()
            except shunt.Closed:
                client.close()
                os._exit(42)
            os._exit(0)
        release.set()
        thread.join()
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 42)

    def test_waits_grow_and_are_random(self):
        backoff = Backoff(1, 8)
        waits = [[backoff.next() for _ in range(6)] for _ in range(200) if not backoff.reset()]
        for number, bound in enumerate((1, 2, 4, 8, 8, 8)):
            of_this = [row[number] for row in waits]
            self.assertTrue(0 <= min(of_this) < bound / 4 and bound * 3 / 4 < max(of_this) <= bound, (number, min(of_this), max(of_this)))

    def test_what_the_broker_asks_for_is_waited_for_and_a_random_time(self):
        waits = [patient(0.01, 0.5, 5) for _ in range(500)]
        self.assertTrue(0.5 <= min(waits) < 0.6 and 0.9 < max(waits) <= 1, (min(waits), max(waits)))
        self.assertEqual(patient(0.3, 0, 5), 0.3)
        self.assertTrue(all(5 <= patient(5, 60, 5) <= 10 for _ in range(100)))

    def test_which(self):
        self.assertEqual([admin._which(None, None, False), admin._which(None, 3, False), admin._which(None, 3, True), admin._which(["1"], None, True)],
                         [{"all": True}, {"count": 3}, {"matching": 3}, {"ids": ["1"]}])

    def test_failures_are_as_python_prints_them(self):
        try:
            try:
                {}["apple"]
            except KeyError as error:
                raise ExceptionGroup("two \ud800", [error]) from error
        except ExceptionGroup as error:
            kind, message, stack, _ = shunt.Failure.of(error).fields()
        self.assertEqual((kind, message), ("ExceptionGroup", "ExceptionGroup: two \\ud800 (1 sub-exception)"))
        self.assertIn('{}["apple"]', stack)
        long = shunt.Failure.of(ValueError("x" * 40000))
        self.assertEqual((len(long.stack), len(long.message)), (protocol.ERROR_STACK_BYTES_MAX, 1024))
        self.assertEqual(shunt.Failure.of(shunt.Timeout("t")).type, "shunt.errors.Timeout")


class Reading(unittest.TestCase):
    """What a peer sends bounds what reading it takes."""

    def refuses(self, data, why):
        tracemalloc.start()
        try:
            with self.assertRaisesRegex(packing.PackingError, why):
                packing.decode(data)
            self.assertLess(tracemalloc.get_traced_memory()[1], 64 << 20)
        finally:
            tracemalloc.stop()

    def test_counts_that_the_bytes_cannot_hold(self):
        for lead in ("dd", "df", "db", "c6"):
            self.refuses(bytes.fromhex(lead + "ffffffff") + bytes(100), "the bytes end")
        self.refuses(bytes.fromhex("df00000033") + bytes(101), "the bytes end")

    def test_more_values_than_any_frame_has(self):
        count = packing.VALUES_MAX
        self.assertEqual(len(packing.decode(packing.array_head(count - 1) + bytes(count - 1))), count - 1)
        with unittest.mock.patch.object(packing, "VALUES_MAX", 1000):
            self.assertEqual(len(packing.decode(packing.array_head(999) + bytes(999))), 999)
            self.refuses(packing.array_head(1000) + bytes(1000), "more than 1000 values")
            self.refuses(packing.array_head(1 << 20) + b"\x90" * (1 << 20), "more than")
            self.refuses(b"\xdf" + struct.pack(">I", 1000) + b"\xa0\x90" * 1000, "more than")

    def test_depth(self):
        self.assertEqual(packing.decode(b"\x91" * 7 + b"\x90"), [[[[[[[[]]]]]]]])
        self.refuses(b"\x91" * 8 + b"\x90", "deep")
        self.refuses(b"\x91" * 100000 + b"\x90", "deep")
        with self.assertRaisesRegex(packing.PackingError, "deep"):
            packing.Reader(b"\x91" * 8 + b"\x90").skip(0)
        packing.Reader(b"\x91" * 7 + b"\x90").skip(0)
        packing.Reader(b"\x81\xa1k" * 7 + b"\x90").skip(0)
        with self.assertRaisesRegex(packing.PackingError, "deep"):
            packing.Reader(b"\x81\xa1k" * 8 + b"\x90").skip(0)

    def test_lengths_of_frames(self):
        reader = frames.FrameReader()
        reader.feed(struct.pack(">I", protocol.FRAME_BYTES_MAX))
        self.assertIsNone(reader.take())
        reader = frames.FrameReader()
        reader.feed(struct.pack(">I", protocol.FRAME_BYTES_MAX + 1))
        with self.assertRaisesRegex(packing.PackingError, "20971521"):
            reader.take()

    def test_what_a_later_version_puts_into_a_message_is_passed_over(self):
        """A publisher's bytes: however many values they are, it is no reason to refuse them, or no consumer would ever get past this message."""
        count = packing.VALUES_MAX + 1
        later = packing.Raw(packing.array_head(count) + bytes(count))
        for times in ([0, 0, 0, later], [0, 0, later]):  # the last of which an older broker took and stored
            row = [7, 8, 1, 2, 3, 4, 5, [b"body", {"h": "v"}, "key", *times], None, {"new": [1]}, "new"]
            received = frames.parse(packing.encode([130, 0, 9, [row], "new"]))
            self.assertEqual((received.fields[0], [handout[:13] for handout in received.fields[1]]), (9, [(7, 8, 1, 2, 3, 4, 5, b"body", {"h": "v"}, "key", None, 0, None)]))

    def test_frames_of_another_shape(self):
        message = [b"x"]
        for elements in ([], [1], ["a", 1], [128, -1], [True, 1], [130, 0, 1], [130, 0, 1, 2], [130, 0, 1, [[1]]], [130, 0, 1, [[1, 2, 3, 4, 5, 6, "x", message]]], [130, 0, 1, [[1, 2, 3, 4, 5, 6, 7, [7]]]],
                         [130, 0, 1, [[1, 2, 3, 4, 5, 6, 7, []]]], [130, 0, 1, [[1, 2, 3, 4, 5, 6, 7, [b"", 1]]]], [129, 1, 1, "A", "b"], [129, 1, "1", "A", "b", True], [131, 0, 1, "x", "y"]):
            with self.subTest(elements), self.assertRaises(packing.PackingError):
                frames.parse(packing.encode(elements))


class FakeServer:
    """Answers HELLO; then `script` has the connection: recv() gives a request's list, send() sends elements, raw() bytes."""

    def __init__(self, script, info=INFO):
        self.script, self.info = script, info
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"shunt://127.0.0.1:{self.listener.getsockname()[1]}"
        self.connections = 0
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self):
        while True:
            try:
                self.peer, _ = self.listener.accept()
            except OSError:
                return
            with self.peer:
                self.connections += 1
                self.reader = frames.FrameReader()
                try:
                    hello = self.recv()
                    if self.info is not None:
                        self.send(128, hello[1], 1, self.info)
                    self.script(self)
                    while True:
                        self.recv()
                except OSError:
                    pass

    def recv(self):
        while (payload := self.reader.take()) is None:
            data = self.peer.recv(1 << 16)
            if not data:
                raise ConnectionResetError("the client has closed")
            self.reader.feed(data)
        return packing.decode(payload)

    def send(self, *elements):
        self.raw(frames.frame(*elements))

    def raw(self, data):
        self.peer.sendall(data)

    def close(self):
        if self.listener.fileno() < 0:
            return
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()


class Hostile(unittest.TestCase):
    def serve(self, script, **more):
        server = FakeServer(script, **more)
        self.addCleanup(server.close)
        client = shunt.Client(server.url, timeout=10, connect_timeout=10)
        self.addCleanup(client.close, 0)
        return server, client

    def test_what_is_no_answer_ends_the_connection_and_says_why(self):
        answers = {
            "a frame of 4294967295 bytes": lambda server, id: server.raw(b"\xff" * 4),
            "the bytes end": lambda server, id: server.raw(frames.with_length(b"\xdd\xff\xff\xff\xff")),
            "deep": lambda server, id: server.raw(frames.with_length(b"\x93\xcc\x80\x05" + b"\x91" * 1000)),
            "cannot begin with c1": lambda server, id: server.raw(frames.with_length(b"\x93\xcc\x80\x05\xc1")),
            "which was not asked": lambda server, id: server.send(128, id + 1),
            "has other fields": lambda server, id: server.send(129, id, 5),
        }
        for why, answer in answers.items():
            with self.subTest(why):
                server, client = self.serve(lambda server, answer=answer: answer(server, server.recv()[1]))
                with self.assertRaisesRegex(shunt.Disconnected, "broke the protocol.*" + why):
                    client.ping()
                client.close(0)

    def test_an_answer_of_another_shape_is_not_believed(self):
        for fields in ([], [1], [1, 1, "x"], [2, 1, 0], [0, 1, 28], [-1, 1, 0], [True, 1, 0]):
            with self.subTest(fields):
                server, client = self.serve(lambda server, fields=fields: server.send(128, server.recv()[1], *fields))
                client.connect()
                with self.assertRaises(shunt.Timeout):
                    client.publish("t", b"x", timeout=0.5)
                self.assertIn("PUBLISH" if len(fields) < 3 or not all(type(field) is int and field >= 0 for field in fields) else "accepted", client._link.last_error.text)
                client.close(0)

    def test_a_true_answer_is_believed(self):
        server, client = self.serve(lambda server: server.send(128, server.recv()[1], 1, 7, 0))
        self.assertEqual(client.publish("t", b"x"), 7)

    def test_calls_say_how_long_they_wait_to_a_broker_that_knows_it(self):
        for features in ([], ["within"]):
            with self.subTest(features):
                seen = []

                def script(server, seen=seen):
                    for answer in ([1, 7, 0], [{"ready": 1}], [5, 30000]):
                        seen.append(server.recv())
                        server.send(128, seen[-1][1], *answer)

                _, client = self.serve(script, info={**INFO, "features": features})
                client.connect()  # so that all the time is left
                self.assertEqual(client.publish("t", b"x", timeout=9), 7)
                self.assertEqual(client.group_show("t")["ready"], 1)
                client.consume("t", timeout=9).stop()
                operations = [protocol.PUBLISH, protocol.GROUP_SHOW, protocol.SUBSCRIBE]
                if features:
                    self.assertEqual([request[0] for request in seen], [protocol.WITHIN] * 3)
                    self.assertEqual([request[3] for request in seen], operations)
                    for request, most in zip(seen, (9000, 10000, 9000)):
                        self.assertTrue(0 < request[2] <= most, request)
                else:
                    self.assertEqual([request[0] for request in seen], operations)
                client.close(0)

    def test_what_was_sent_before_may_have_been_stored_though_its_time_was_over(self):
        def script(server):
            request = server.recv()
            if server.connections == 1:
                raise ConnectionResetError("lost with the request under way")
            server.send(129, request[1], 43, "DEADLINE_EXCEEDED", "", True)

        _, client = self.serve(script, info={**INFO, "features": ["within"]})
        with self.assertRaisesRegex(shunt.Timeout, "may have been stored"):
            client.publish("t", b"x")
        with self.assertRaises(shunt.DeadlineExceeded) as caught:
            self.serve(lambda server: server.send(129, server.recv()[1], 43, "DEADLINE_EXCEEDED", "", True))[1].publish("t", b"x")
        self.assertIsInstance(caught.exception, TimeoutError)

    def refuse(self, server, *asked):
        server.send(129, server.recv()[1], 28, "NO_SPACE", "full", True, *asked)
        server.send(128, server.recv()[1], 1, 7, 0)

    def test_publishes_wait_as_long_as_a_full_broker_asks(self):
        with unittest.mock.patch.object(shunt.publishing, "jittered", lambda seconds: 1000 * seconds):
            _, client = self.serve(lambda server: self.refuse(server, 300))
            with self.assertRaises(shunt.NoSpace) as caught:
                client.publish("t", b"full")
        self.assertEqual(caught.exception.retry_after, 0.3)
        self.assertRaisesRegex(shunt.NoSpace, "full", client.publish, "t", b"not sent", timeout=0.05)
        self.assertFalse(client._outbox.frames)
        with client._link.changed:
            client._outbox.held_until = 0.0  # the time has passed
            client._link.wake()
        self.assertEqual(client.publish("t", b"sent"), 7)

    def test_so_they_do_when_a_frame_was_stored_in_part_for_want_of_room(self):
        def script(server):
            server.send(128, server.recv()[1], 1, 7, 28, 300)
            server.send(128, server.recv()[1], 1, 8, 0)

        with unittest.mock.patch.object(shunt.publishing, "jittered", lambda seconds: 1000 * seconds):
            _, client = self.serve(script)
            with self.assertRaises(shunt.NoSpace) as caught:
                client.publish_batch("t", [b"stored", b"not"])
        self.assertEqual((caught.exception.accepted, caught.exception.retry_after), ([7], 0.3))
        self.assertRaises(shunt.NoSpace, client.publish, "t", b"not sent", timeout=0.05)

    def test_one_that_asks_for_nothing_gets_the_next_at_once(self):
        for asked in ((), (0,), (None,), ("later",)):
            server, client = self.serve(lambda server, asked=asked: self.refuse(server, *asked))
            self.assertRaises(shunt.NoSpace, client.publish, "t", b"full")
            self.assertEqual(client.publish("t", b"next"), 7)

    def test_a_broker_that_stops_says_how_long(self):
        connected = threading.Event()
        _, client = self.serve(lambda server: [connected.wait(10), server.send(131, 0, 0, 42, "stops", 86400000), server.peer.shutdown(socket.SHUT_RDWR)])
        client.connect()
        connected.set()
        self.wait_for(client, lambda: client._link.last_error)
        self.assertEqual((client._link.last_error.name, client._link.last_error.retry_after), ("SHUTTING_DOWN", 60))

    def consume(self, script):
        def subscribed(server):
            server.send(128, server.recv()[1], 3, 30000)
            script(server)

        server, client = self.serve(subscribed)
        return server, client, client.consume("t", window=4, window_bytes=1000)

    def row(self, seq, body=b"x"):
        return [seq, 1000 + seq, 0, 1, 0, 0, 30000, [body], None]

    def wait_for(self, client, what):
        with client._link.changed:
            self.assertTrue(client._link.changed.wait_for(what, 10))

    def test_more_deliveries_than_were_asked_for(self):
        server, client, consumer = self.consume(lambda server: server.send(130, 0, 3, [self.row(seq) for seq in range(1, 10)]))
        self.wait_for(client, lambda: client._link.last_error)
        self.assertIn("9 messages", client._link.last_error.text)
        server, client, consumer = self.consume(lambda server: [server.send(130, 0, 3, [self.row(seq, bytes(16 << 20))]) for seq in (1, 2)])
        self.wait_for(client, lambda: client._link.last_error)
        self.assertIn("2 messages of", client._link.last_error.text)

    def test_twice_the_window_is_borne(self):
        server, client, consumer = self.consume(lambda server: server.send(130, 0, 3, [self.row(seq) for seq in range(1, 9)]))
        self.assertEqual([consumer.next(10).seq for _ in range(8)], list(range(1, 9)))

    def test_letters_of_many_values_count_as_what_they_take(self):
        """400 KB of empty arrays are more than 400 KB of memory."""
        letter = [7, 8, 0, 1, 0, 0, 30000, [b"x"], {"a": [[]] * 400000}]
        server, client, consumer = self.consume(lambda server: server.send(130, 0, 3, [letter]))
        self.wait_for(client, lambda: client._link.last_error)
        self.assertRegex(client._link.last_error.text, r"1 messages of 26\d{6} bytes")

    def test_a_message_that_is_handed_out_again_and_again_fills_no_buffer(self):
        go, row = threading.Event(), self.row(1)
        server, client, consumer = self.consume(lambda server: (server.send(130, 0, 3, [row]), go.wait(), server.send(130, 0, 3, [row] * 5000), server.send(130, 0, 3, [self.row(2)])))
        self.addCleanup(go.set)
        first = consumer.next(10)
        with unittest.mock.patch("shunt.consuming.UNSENT_BYTES_MAX", 2000), unittest.mock.patch.object(client._link, "_write", lambda: None):
            go.set()
            self.wait_for(client, lambda: consumer._queue)
            self.assertTrue(2000 < client._link.unsent_bytes < 2100, client._link.unsent_bytes)
            with client._link.changed:
                client._link._out.clear()
        self.assertFalse(first.lost)

    def test_a_lease_of_nothing_is_not_extended_all_the_time(self):
        asked = []

        def script(server):
            server.send(130, 0, 3, [self.row(1)])
            while True:
                asked.append(server.recv()[0])

        server, client, consumer = self.consume(script)
        delivery = consumer.next(10)
        delivery.lease_ms = 0
        delivery.keep()
        for _ in range(20):  # so often its time comes
            before = delivery._extend_at
            while delivery._extend_at == before:
                with client._link.changed:
                    client._link.changed.wait(0.001)
        client.close(0)
        server.close()
        self.assertEqual(asked.count(protocol.RESOLVE), 1)

    def test_frames_that_are_not_known_are_passed_over(self):
        server, client = self.serve(lambda server: (server.send(140, 0, [1]), server.send(130, 0, 99, [self.row(1)]), server.send(131, 0, 99, 20, "gone"), server.send(128, server.recv()[1])))
        client.ping()

    def test_a_server_that_says_nothing(self):
        server, client = self.serve(lambda server: None, info=None)
        client._link.connect_timeout = 0.2
        with self.assertRaisesRegex(shunt.Unreachable, "no answer to HELLO within 0.2 s"):
            client.connect()

    def test_limits_of_another_type_are_not_used(self):
        server, client = self.serve(lambda server: server.send(128, server.recv()[1], 1, 7, 0), info={"dedup_frames": "x", "max_messages": [1]})
        with client.publisher("t") as publisher:
            receipt = publisher.send(b"x")
        self.assertEqual(receipt.seq, 7)

    def test_another_version_is_not_tried_again(self):
        server, client = self.serve(lambda server: server.send(129, 1, 2, "VERSION_MISMATCH", "none in common", False), info=None)
        for _ in range(2):
            with self.assertRaisesRegex(shunt.VersionMismatch, "none in common"):
                client.ping()
        self.assertEqual(server.connections, 1)

    def test_what_the_server_says_before_it_closes_is_passed_on(self):
        server, client = self.serve(lambda server: (server.recv(), server.send(131, 0, 0, 42, "stopping now"), server.peer.shutdown(socket.SHUT_WR)))
        with self.assertRaisesRegex(shunt.Disconnected, "stopping now"):
            client.ping()

    def test_a_server_that_reads_nothing_stops_its_publisher_and_nobody_waits_for_ever(self):
        stop = threading.Event()
        server, client = self.serve(lambda server: stop.wait())
        self.addCleanup(stop.set)
        client._timeout = 0.5
        publisher = client.publisher("t", window_bytes=8 << 20)
        with self.assertRaisesRegex(shunt.Busy, "this one was not published"):
            for _ in range(1000):
                publisher.send(bytes(1 << 20))
        self.assertLessEqual(publisher.unconfirmed, 8)
        with self.assertRaises(shunt.Timeout):
            publisher.flush(0.1)


if __name__ == "__main__":
    unittest.main()
