"""Every wire test, against the shuntd that the environment variable SHUNTD names.

usage: SHUNTD=…/shuntd [SHUNT_SECURE=1] python3 test_wire.py [-v] [CLASS.TEST …]

The tests know the server only through proto/PROTOCOL.md, so what they prove is the page.
"""

import os
import pathlib
import sys
import unittest

from test_access import *  # noqa: F403 (the classes are what is run)
from test_ack_wait import *  # noqa: F403
from test_audit import *  # noqa: F403
from test_bounds import *  # noqa: F403
from test_causes import *  # noqa: F403
from test_clients import *  # noqa: F403
from test_consume import *  # noqa: F403
from test_dead import *  # noqa: F403
from test_details import *  # noqa: F403
from test_frames import *  # noqa: F403
from test_hello import *  # noqa: F403
from test_keep import *  # noqa: F403
from test_keys import *  # noqa: F403
from test_lease import *  # noqa: F403
from test_login import *  # noqa: F403
from test_packing import *  # noqa: F403
from test_patience import *  # noqa: F403
from test_publish import *  # noqa: F403
from test_quotas import *  # noqa: F403
from test_redrive import *  # noqa: F403
from test_rules import *  # noqa: F403
from test_secure import *  # noqa: F403
from test_shapes import *  # noqa: F403
from test_share import *  # noqa: F403
from test_silence import *  # noqa: F403
from test_texts import *  # noqa: F403
from test_topics import *  # noqa: F403
from test_why import *  # noqa: F403
from test_within import *  # noqa: F403


class Complete(unittest.TestCase):
    def test_no_file_of_tests_is_left_out(self):
        names = {path.stem for path in pathlib.Path(__file__).parent.glob("test_*.py")} - {"test_wire"}
        self.assertGreater(len(names), 20)
        self.assertEqual(names - set(sys.modules), set())


if __name__ == "__main__":
    if not os.access(os.environ.get("SHUNTD", ""), os.X_OK):
        sys.exit("SHUNTD must name the shuntd to test")
    result = unittest.main(exit=False).result
    for test, reason in result.skipped:
        print(f"skipped {test.id()}: {reason}", file=sys.stderr)
    sys.exit(not result.wasSuccessful())
