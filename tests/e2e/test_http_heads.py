#!/usr/bin/env python3
"""What HTTP decides by the headers of a request alone: one that can be read in two ways, and one that has a body and shows nothing to log in by."""
import json
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

import harness
from certificates import Authority
from secure import plain_only

HOST = "Host: localhost\r\n"
JSON = "Content-Type: application/json\r\n"


def said(server, request):
    """All that the server says until it ends the connection: the status of each answer, and the lines and the body of the first."""
    with server.http_socket() as connection:
        connection.sendall(request.encode())
        answer = b""
        while part := connection.recv(65536):
            answer += part
    head, body = answer.decode().split("\r\n\r\n", 1)
    return [int(status) for status in re.findall(r"^HTTP/1\.1 (\d+)", answer.decode(), re.M)], head.split("\r\n"), body


class Case(unittest.TestCase):
    def refused(self, server, status, code, request, detail):
        """One answer, and the end of the connection, though another request lies behind it."""
        found, headers, body = said(server, request)
        self.assertEqual(found, [status], request)
        self.assertIn("Connection: close", headers)
        problem = json.loads(body)
        self.assertEqual((problem["code"], problem["detail"]), (code, detail))
        return headers


class Framing(Case):
    def setUp(self):
        self.server = self.enterContext(harness.Server())

    def test_a_request_that_can_be_read_in_two_ways_is_refused_and_the_connection_ends(self):
        login = self.server.http_login
        hidden = f"GET /readyz HTTP/1.1\r\n{HOST}\r\n"
        chunks = "2\r\n{}\r\n0\r\n\r\n"
        rows = [
            ("Content-Length: 2\r\nContent-Length: 4\r\n", "{}  ", "there are 2 Content-Length headers"),
            ("Content-Length: 2\r\nContent-Length: 2\r\n", "{}", "there are 2 Content-Length headers"),
            ("Content-Length: 0\r\nContent-Length: 50\r\n", "", "there are 2 Content-Length headers"),
            ("Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", chunks, "there are both Content-Length and Transfer-Encoding"),
            ("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n", chunks, "there are both Content-Length and Transfer-Encoding"),
            ("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", chunks, "there are 2 Transfer-Encoding headers"),
            ("Transfer-Encoding: gzip, chunked\r\n", chunks, "Transfer-Encoding is not `chunked`"),
        ]
        for line in ("POST /api/v1/topics", "POST /readyz", "GET /metrics", "GET /nowhere", "GET /console/"):
            for headers, body, detail in rows:
                with self.subTest(line=line, headers=headers):
                    self.refused(self.server, 400, "BAD_HEADER", f"{line} HTTP/1.1\r\n{HOST}{login}{JSON}{headers}\r\n{body}{hidden}", detail)

    def test_a_length_that_is_a_list_is_refused(self):
        head = f"POST /api/v1/topics HTTP/1.1\r\n{HOST}{self.server.http_login}{JSON}"
        for value in ("2, 2", "2,4", "+2"):
            found, _, body = said(self.server, f"{head}Content-Length: {value}\r\n\r\n{{}}GET /readyz HTTP/1.1\r\n{HOST}\r\n")
            self.assertEqual(set(found), {400}, value)  # by libmicrohttpd, which sends the head of this answer twice
            self.assertIn("Content-Length", body)

    def test_chunks_and_a_length_alone_are_taken(self):
        head = f"POST /api/v1/topics HTTP/1.1\r\n{HOST}{self.server.http_login}{JSON}Connection: close\r\n"
        self.assertEqual(said(self.server, head + 'Transfer-Encoding: chunked\r\n\r\ne\r\n{"topic": "a"}\r\n0\r\n\r\n')[0], [201])
        self.assertEqual(said(self.server, head + 'Content-Length: 13\r\n\r\n{"topic":"b"}')[0], [201])

    def test_two_logins_are_refused(self):
        login = "Authorization: Bearer x\r\n"
        for line in ("GET /api/v1/topics", "GET /metrics", "GET /readyz"):
            self.refused(self.server, 400, "BAD_HEADER", f"{line} HTTP/1.1\r\n{HOST}{login}{login}\r\n", "there are 2 Authorization headers")


@plain_only("it has users and certificates of its own")
class Logins(Case):
    LOG_IN = "log in: this server wants a user and a password, a token, or a certificate"

    def start(self, settings=""):
        self.server = harness.Server(settings="auth: on\n" + settings)
        self.addCleanup(self.server.remove)
        made = subprocess.run([harness.SHUNTD, "--data", self.server.data, "--init-admin", "tom"], capture_output=True, text=True, check=True)
        self.token = made.stdout.strip()
        self.server.start()
        self.addCleanup(self.server.stop)
        return self.server

    def test_a_body_of_one_who_shows_nothing_is_not_waited_for(self):
        server = self.start()
        for line in ("POST /api/v1/topics/a/messages", "POST /api/v1/topics/a/groups/default/ack", "POST /api/v1/nowhere", "GET /metrics"):
            for body in ("Content-Length: 4000000\r\n\r\n{", "Transfer-Encoding: chunked\r\n\r\n"):
                with self.subTest(line=line, body=body):
                    headers = self.refused(server, 401, "UNAUTHENTICATED", f"{line} HTTP/1.1\r\n{HOST}{JSON}{body}", self.LOG_IN)
                    self.assertEqual([line.split()[1] for line in headers if line.startswith("WWW-Authenticate:")], ["Basic", "Bearer"])

    def test_white_space_behind_a_login_is_no_part_of_it(self):
        server = self.start()
        for space in ("", " ", "\t", " \t "):
            found, _, _ = said(server, f"GET /api/v1/whoami HTTP/1.1\r\n{HOST}Connection: close\r\nAuthorization: Bearer {self.token}{space}\r\n\r\n")
            self.assertEqual(found, [200], repr(space))

    def test_a_body_of_one_who_shows_a_certificate_is_taken(self):
        directory = pathlib.Path(tempfile.mkdtemp(prefix="heads-"))
        self.addCleanup(shutil.rmtree, directory)
        authority = Authority(directory / "authority")
        cert, key = authority.issue("server", names="DNS:localhost,IP:127.0.0.1")
        server = self.start(f"tls-cert: {cert}\ntls-key: {key}\ntls-client-ca: {authority.cert}\ntls-client-auth: request\n")
        request = f'POST /api/v1/topics HTTP/1.1\r\n{HOST}{JSON}Connection: close\r\nContent-Length: 13\r\n\r\n{{"topic":"a"}}'
        server.trust(authority.cert)
        self.assertEqual(json.loads(said(server, request)[2])["detail"], self.LOG_IN)
        server.trust(authority.cert, own=authority.issue("worker", names="DNS:worker.example"))
        self.assertRegex(json.loads(said(server, request)[2])["detail"], re.compile("no user has a name"))


if __name__ == "__main__":
    harness.main()
