"""Section 12 of the page: users, roles and tokens."""

import base64
import unittest

from client import (AUDIT_LIST, ROLE_DELETE, ROLE_LIST, ROLE_SET, TOKEN_CREATE, TOKEN_LIST, TOKEN_REVOKE, USER_DELETE, USER_LIST, USER_SET, WHOAMI, ShuntError)
from server import WireTest, plain_only

USER = {"user", "disabled", "administrator", "password", "tokens", "certificates", "roles", "grants", "created"}
ROLE = {"role", "built_in", "grants", "users", "created"}
TOKEN = {"token", "user", "note", "created", "expires"}
WHO = {"user", "how", "administrator", "rights", "roles", "grants", "effective", "token", "expires"}
VERIFIER = "$argon2id$v=19$m=65536,t=3,p=1$c2FsdHNhbHRzYWx0c2FsdA$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g"


class Access(WireTest):
    def setUp(self):
        super().setUp()
        self.client = self.connect()
        self.name = self.topic.replace("_", "-")[:60]

    def user(self, name):
        [row], more = self.client.request(USER_LIST, None, None, name)
        self.assertFalse(more)
        return row

    def refused(self, code, *request):
        with self.assertRaises(ShuntError) as caught:
            self.client.request(*request)
        self.assertEqual(caught.exception.name, code)
        return caught.exception.text

    def test_a_user_is_what_it_was_set_to_field_by_field(self):
        ann, role = self.name + "@a", self.name + ".r"
        self.client.request(ROLE_SET, role, {"must_be": "new", "grants": ["orders*:look"]})
        self.client.request(USER_SET, ann, {"must_be": "new", "password": VERIFIER, "roles": [role], "grants": ["b.*:look,publish", "c:all"],
                                            "certificates": ["dns:" + ann]})
        row = self.user(ann)
        self.assertEqual(set(row), USER)
        self.assertEqual((row["password"], row["roles"], row["grants"], row["certificates"]), (True, [role], ["b.*:publish,look", "c:all"], ["dns:" + ann]))
        self.assertEqual((row["administrator"], row["disabled"], row["tokens"]), (False, False, 0))
        self.client.request(USER_SET, ann, {"grants": [], "state": "disabled"})
        row = self.user(ann)
        self.assertEqual((row["grants"], row["disabled"], row["roles"], row["password"], row["administrator"]), ([], True, [role], True, False))
        self.client.request(USER_SET, ann, {"password": "", "roles": [], "state": "enabled"})
        row = self.user(ann)
        self.assertEqual((row["password"], row["roles"], row["disabled"]), (False, [], False))
        self.assertEqual(self.client.request(USER_DELETE, ann), [0])
        self.client.request(ROLE_DELETE, role)
        self.assertIn("no user", self.refused("NOT_FOUND", USER_LIST, None, None, ann))

    def test_lists_go_in_order_of_name_page_by_page(self):
        names = sorted(f"{self.name}{i}" for i in range(5))
        for name in reversed(names):
            self.client.request(USER_SET, name)
            self.client.request(ROLE_SET, name, {"grants": [f"{name}:look"]})
        for op, key, shape in ((USER_LIST, "user", USER), (ROLE_LIST, "role", ROLE)):
            after, found = None, []
            while True:
                rows, more = self.client.request(op, after, 2)
                found += rows
                self.assertTrue(rows and len(rows) <= 2)
                after = rows[-1][key]
                if not more:
                    break
            listed = [row[key] for row in found]
            self.assertEqual([name for name in listed if name in names], names)
            self.assertEqual(listed, sorted(listed))
            self.assertTrue(all(set(row) == shape for row in found))
        [built_in] = [row for row in found if row["built_in"]]
        self.assertEqual((built_in["role"], built_in["grants"]), ("administrator", ["*:all"]))
        for name in names:
            self.client.request(USER_DELETE, name)
            self.client.request(ROLE_DELETE, name)

    def test_a_token_is_told_once_and_revoked(self):
        bob = self.name + "-bob"
        self.client.request(USER_SET, bob)
        number, text = self.client.request(TOKEN_CREATE, bob, 60000, "a note")
        bytes_ = base64.urlsafe_b64decode(text.removeprefix("shunt_"))
        self.assertTrue(text.startswith("shunt_") and len(text) == 62)
        self.assertEqual((int.from_bytes(bytes_[:8], "big"), len(bytes_)), (number, 42))
        other, other_text = self.client.request(TOKEN_CREATE, bob)
        self.assertNotEqual(other_text[-40:], text[-40:])
        rows, more, following = self.client.request(TOKEN_LIST, 0, 1, bob)
        self.assertEqual(([row["token"] for row in rows], more, following), ([number], True, number))
        self.assertEqual((set(rows[0]), rows[0]["note"], rows[0]["expires"] - rows[0]["created"]), (TOKEN, "a note", 60000))
        [second], more, _ = self.client.request(TOKEN_LIST, following, None, bob)
        self.assertEqual((second["token"], second["expires"], second["note"], more), (other, None, None, False))
        self.refused("NOT_FOUND", TOKEN_REVOKE, number, self.name + "-other")
        self.client.request(TOKEN_REVOKE, number)
        self.assertIn(str(number), self.refused("NOT_FOUND", TOKEN_REVOKE, number))
        self.assertEqual(self.user(bob)["tokens"], 1)
        self.assertEqual(self.client.request(USER_DELETE, bob), [1])
        self.refused("NOT_FOUND", TOKEN_REVOKE, other)

    def test_a_token_that_has_expired_goes_by_itself(self):
        bob = self.name + "-bob"
        self.client.request(USER_SET, bob)
        self.client.request(TOKEN_CREATE, bob, 1)
        self.until(lambda: not self.client.request(TOKEN_LIST, 0, None, bob)[0])
        self.assertEqual(self.user(bob)["tokens"], 0)
        self.client.request(USER_DELETE, bob)

    @plain_only("it starts from a store without users")
    def test_who_asks_without_authentication_is_anybody(self):
        [who] = self.client.request(WHOAMI)
        self.assertEqual(set(who), WHO)
        self.assertEqual((who["user"], who["how"], who["administrator"], len(who["rights"]), who["effective"], who["token"]), (None, "anybody", True, 8, ["*:all"], None))

    def test_what_cannot_be_is_refused_and_says_why(self):
        u = self.name
        rows = (
            ("BAD_ARGUMENT", USER_SET, "a b"), ("BAD_ARGUMENT", USER_SET, ""), ("BAD_ARGUMENT", USER_SET, "n" * 101),
            ("BAD_ARGUMENT", USER_SET, u, {"must_be": "old"}), ("NOT_FOUND", USER_SET, u, {"must_be": "there"}),
            ("BAD_ARGUMENT", USER_SET, u, {"password": "secret"}), ("BAD_ARGUMENT", USER_SET, u, {"password": VERIFIER.replace("m=65536", "m=19455")}),
            ("TOO_LARGE", USER_SET, u, {"password": "p" * 257}), ("BAD_ARGUMENT", USER_SET, u, {"state": "off"}),
            ("BAD_ARGUMENT", USER_SET, u, {"roles": [u + "none"]}), ("BAD_ARGUMENT", USER_SET, u, {"roles": ["administrator"] * 17}),
            ("BAD_ARGUMENT", USER_SET, u, {"grants": ["a:look"] * 65}), ("BAD_ARGUMENT", USER_SET, u, {"grants": ["a"]}),
            ("BAD_ARGUMENT", USER_SET, u, {"grants": ["a:eat"]}), ("BAD_ARGUMENT", USER_SET, u, {"grants": ["dlq:a:look"]}),
            ("BAD_ARGUMENT", USER_SET, u, {"grants": ["p" * 101 + ":look"]}), ("BAD_ARGUMENT", USER_SET, u, {"certificates": ["a.example"]}),
            ("BAD_ARGUMENT", USER_SET, u, {"certificates": ["dns:" + "n" * 253]}), ("BAD_ARGUMENT", USER_SET, u, {"certificates": ["dns:a"] * 9}),
            ("BAD_ARGUMENT", USER_SET, u, {"colour": "red"}), ("PROTOCOL", USER_SET, u, {"roles": [7]}),
            ("FORBIDDEN", ROLE_SET, "administrator", {"grants": []}), ("FORBIDDEN", ROLE_DELETE, "administrator"), ("NOT_FOUND", ROLE_DELETE, u),
            ("BAD_ARGUMENT", ROLE_SET, u, {"grants": ["a"]}), ("NOT_FOUND", USER_DELETE, u), ("NOT_FOUND", TOKEN_CREATE, u),
            ("BAD_ARGUMENT", TOKEN_CREATE, u, 315360000001), ("TOO_LARGE", TOKEN_CREATE, u, 0, "n" * 129),
            ("NOT_FOUND", TOKEN_LIST, 0, 1, u), ("NOT_FOUND", TOKEN_REVOKE, 2**64 - 1),
        )
        for code, *request in rows:
            with self.subTest(request=request):
                self.client = self.connect()
                self.assertTrue(self.refused(code, *request))
        self.refused("NOT_FOUND", USER_LIST, None, None, u)

    @plain_only("who has logged in makes tokens of its own")
    def test_a_token_of_nobody_is_refused(self):
        self.refused("BAD_ARGUMENT", TOKEN_CREATE)

    def test_what_is_at_its_bound_is_taken(self):
        u = "u" * 100
        self.client.request(ROLE_SET, "r" * 100, {"grants": [f"{i:0100}:all" for i in range(64)]})
        self.client.request(USER_SET, u, {"roles": ["r" * 100], "grants": [f"{i:0100}:look" for i in range(64)],
                                          "certificates": [f"cn:{i:0253}" for i in range(8)]})
        row = self.user(u)
        self.assertEqual((len(row["grants"]), len(row["certificates"]), row["roles"]), (64, 8, ["r" * 100]))
        self.client.request(TOKEN_CREATE, u, 315360000000, "n" * 128)
        self.assertEqual(self.client.request(USER_DELETE, u), [1])
        self.client.request(ROLE_DELETE, "r" * 100)

    @plain_only("it starts from a store without users")
    def test_the_last_administrator_who_can_log_in_stays(self):
        root = self.name + "-root"
        self.client.request(USER_SET, root, {"roles": ["administrator"], "password": VERIFIER})
        for op, *fields in ((USER_DELETE, root), (USER_SET, root, {"state": "disabled"}), (USER_SET, root, {"password": ""}), (USER_SET, root, {"roles": []})):
            self.assertIn("another administrator", self.refused("FORBIDDEN", op, *fields))
        self.assertTrue(self.user(root)["administrator"])

    def test_each_change_is_in_the_audit_log_without_what_is_secret(self):
        u = self.name + "-audited"
        after = 0
        while True:
            _, more, after = self.client.request(AUDIT_LIST, after, 1000)
            if not more:
                break
        self.client.request(ROLE_SET, u, {"grants": ["a:look"]}, "why")
        self.client.request(USER_SET, u, {"password": VERIFIER, "roles": [u]}, "why")
        number, _ = self.client.request(TOKEN_CREATE, u, 0, "for me", "why")
        self.client.request(TOKEN_REVOKE, number, None, "why")
        self.client.request(USER_SET, u, {"password": "", "roles": []}, "why")
        self.client.request(USER_DELETE, u, "why")
        self.client.request(ROLE_DELETE, u, "why")
        rows, _, _ = self.client.request(AUDIT_LIST, after, 1000)
        self.assertEqual([(row["act"], row["asked"]) for row in rows], [
            ("role_set", f"role={u} grants=a:look"), ("user_set", f"user={u} password=set roles={u}"), ("token_created", f'user={u} note="for me"'),
            ("token_revoked", f"token={number}"), ("user_set", f"user={u} password=none roles=none"), ("user_deleted", f"user={u}"),
            ("role_deleted", f"role={u}")])
        self.assertEqual({row["reason"] for row in rows}, {"why"})
        self.assertEqual(rows[2]["count"], number)


if __name__ == "__main__":
    unittest.main()
