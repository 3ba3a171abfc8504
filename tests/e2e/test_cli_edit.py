"""The tool's edits of dead letters: the editor, files, two people at once, what goes back, and what is told of it."""
import os
import pathlib

import harness
from cli_case import FAILED, NOTHING, USAGE, Case


class Edit(Case):
    def setUp(self):
        super().setUp()
        self.fill_dlq("t", ['{"to": "nobody"}', "second"])
        self.files = pathlib.Path(self.directory)

    def editor(self, script):
        """What $VISUAL runs: the shell script, with the file as $1. Its temporary files are in a directory of their own."""
        path = self.files / "editor"
        path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        path.chmod(0o755)
        (self.files / "tmp").mkdir(exist_ok=True)
        return {"VISUAL": str(path), "TMPDIR": str(self.files / "tmp")}

    def edit(self, *args, script=None, **more):
        was = dict(os.environ)
        try:
            os.environ.update(self.editor(script) if script else {})
            return self.shunt("dlq", "edit", "t", *args, **more)
        finally:
            os.environ.clear()
            os.environ.update(was)

    def body(self, *args):
        return self.document("dlq", "show", "t", "t/1", *args)["body"]

    def left(self):
        return sorted(path.name for path in (self.files / "tmp").iterdir())

    def test_what_the_editor_makes_of_it_goes_back_and_is_told(self):
        done = self.edit("t/1", "--because", "no address", script="sed -i s/nobody/ann/ \"$1\"; test \"${1%.json}\" != \"$1\"")
        self.assertIn("edited t/1", done.stderr)
        self.assertEqual(self.left(), [])
        self.assertEqual(self.body(), '{"to": "ann"}')
        self.assertEqual(self.body("--original"), '{"to": "nobody"}')
        shown = self.shunt("dlq", "show", "t", "t/1").stdout
        self.assertIn("because: no address; --original shows the body that it was published with", shown)
        self.assertIn("its body was edited by", self.shunt("why", "t/1").stdout)
        [act] = [row for row in self.lines("audit", "-o", "jsonl") if row["act"] == "dlq_edited"]
        self.assertEqual((act["reason"], act["asked"]), ("no address", "message=t/1 body=13B"))
        self.shunt("dlq", "redrive", "t", "t/1")
        self.assertEqual(self.shunt("consume", "t", "--count", "1").stdout.strip(), '{"to": "ann"}')

    def lines(self, *args):
        import json
        return [json.loads(line) for line in self.shunt(*args).stdout.splitlines()]

    def test_an_unchanged_body_and_an_editor_that_fails_change_nothing(self):
        self.edit("t/1", script="true", code=NOTHING)
        self.edit("t/1", script="echo >> \"$1\"", code=NOTHING)  # as editors end a last line
        self.assertIn("exit code 7: nothing is changed", self.edit("t/1", script="echo x > \"$1\"; exit 7", code=FAILED).stderr)
        self.assertIn("exit code 137: nothing is changed", self.edit("t/1", script="kill -9 $$", code=FAILED).stderr)
        self.assertEqual(self.left(), [])
        self.assertIsNone(self.document("dlq", "show", "t", "t/1")["edit"])

    def test_files_standard_input_and_back_again(self):
        (self.files / "new").write_bytes(b"from\0a file")
        self.shunt("dlq", "edit", "t", "2", "--body-file", self.files / "new")
        self.assertEqual(self.document("dlq", "show", "t", "2")["size"], 11)
        self.assertIn("is no text", self.edit("2", script="true", code=FAILED).stderr)
        done = self.document("dlq", "edit", "t", "2", "--body-file", "-", input="from a pipe")
        self.assertEqual((done["origin"], done["size"]), ("t/2", 11))
        self.assertEqual(self.document("dlq", "edit", "t", "2", "--undo")["edit"], None)
        self.assertEqual(self.document("dlq", "show", "t", "2")["body"], "second")
        self.shunt("dlq", "edit", "t", "2", "--undo", code=NOTHING)
        self.shunt("dlq", "edit", "t", "2", "--undo", "--body-file", "-", code=USAGE)
        self.shunt("dlq", "edit", "t", "2", "--body-file", self.files / "none", code=FAILED)

    def test_a_second_editor_is_refused_and_keeps_what_it_wrote(self):
        other = f"{harness.SHUNT} dlq edit t t/1 --body-file /dev/null"
        done = self.edit("t/1", script=f"{other}; echo mine > \"$1\"", code=FAILED)
        self.assertIn("was edited, or its edit undone, since you looked", done.stderr)
        [kept] = self.left()
        self.assertIn(f"what you wrote is kept in {self.files / 'tmp' / kept}", done.stderr)
        self.assertEqual((self.files / "tmp" / kept).read_text(), "mine\n")
        self.assertEqual(self.body(), "")

    def test_a_letter_that_has_gone_back_is_none(self):
        self.shunt("dlq", "redrive", "t", "t/1")
        done = self.shunt("dlq", "edit", "t", "t/1", "--body-file", "/dev/null", code=NOTHING)
        self.assertIn("among the dead letters", done.stderr)

    def test_redrive_edits_one_letter_first_and_leaves_it_if_nothing_changed(self):
        self.shunt("dlq", "redrive", "t", "--all", "--edit", code=USAGE)
        self.shunt("dlq", "redrive", "t", "1", "2", "--edit", code=USAGE)
        self.shunt("dlq", "redrive", "t", "1", "--body-file", "-", code=USAGE)
        self.shunt("dlq", "redrive", "t", "2", "--edit", "--body-file", "-", input="second", code=NOTHING)
        self.assertEqual(self.group("t")["dead"], 2)
        self.shunt("dlq", "redrive", "t", "2", "--edit", "--body-file", "-", input="mended")
        self.assertEqual(self.group("t")["dead"], 1)
        self.assertEqual(self.shunt("consume", "t", "--count", "1").stdout.strip(), "mended")


if __name__ == "__main__":
    harness.main()
