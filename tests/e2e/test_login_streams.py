#!/usr/bin/env python3
"""A stream of changes over HTTP of a server that asks who one is: when it ends, and what it does not show."""
import json
import urllib.error
import urllib.request

import harness
import test_login
import wire


class Streams(test_login.Case):
    def test_a_stream_of_changes_ends_with_the_token_that_it_was_opened_with(self):
        server = self.start()
        url = self.with_query(f"token-file={self.token_file}")
        made = json.loads(server.shunt("--url", url, "token", "create", "ann", "-o", "jsonl").stdout)
        request = urllib.request.Request(f"{server.http}/api/v1/events", headers={"Authorization": f"Bearer {made['text']}"})
        with urllib.request.urlopen(request, timeout=100) as stream:
            self.assertTrue(any(line == b"event: begin\n" for line in stream))
            server.shunt("--url", url, "token", "revoke", str(made["token"]))
            rest = stream.read().decode()
        self.assertNotIn("token_revoked", rest, "who asked by it may know no more")
        self.assertNotIn("\n:\n", rest, "it stayed open, and a comment was sent because nothing happened")
        with self.assertRaises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=100)
        with refused.exception:
            self.assertEqual(refused.exception.code, 401)

    def test_a_stream_of_changes_ends_when_its_token_expires(self):
        server = self.start()
        url = self.with_query(f"token-file={self.token_file}")
        made = json.loads(server.shunt("--url", url, "token", "create", "ann", "--expires", "3s", "-o", "jsonl").stdout)
        login = f"Bearer {made['text']}"
        request = urllib.request.Request(f"{server.http}/api/v1/events", headers={"Authorization": login})
        with urllib.request.urlopen(request, timeout=100) as stream:
            wire.until(lambda: self.get("/api/v1/whoami", login)[0] == 401)
            server.shunt("--url", url, "topic", "create", "later")
            self.assertNotIn("later", stream.read().decode())

    def test_what_a_stream_shows_is_not_about_users(self):
        server = self.start()
        url = self.with_query(f"token-file={self.token_file}")
        request = urllib.request.Request(f"{server.http}/api/v1/events", headers={"Authorization": f"Bearer {self.token}"})
        with urllib.request.urlopen(request, timeout=100) as stream:
            begin = next(line for line in stream if line.startswith(b"id: "))[4:].strip().decode()
            server.shunt("--url", url, "role", "set", "hidden", "--grant", "payroll:look")
            stream.read()
        server.shunt("--url", url, "topic", "create", "shown")
        request.full_url += f"?after={begin}"
        with urllib.request.urlopen(request, timeout=100) as stream:
            lines = []
            while not any(b"shown" in line for line in lines):
                lines.append(next(stream))
        self.assertNotIn(b"hidden", b"".join(lines))


if __name__ == "__main__":
    harness.main()
