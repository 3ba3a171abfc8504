"""Every wire test, against the shuntd that the environment variable SHUNTD names.

usage: SHUNTD=…/shuntd python3 test_wire.py [-v] [CLASS.TEST …]

The tests know the server only through proto/PROTOCOL.md, so what they prove is the page.
"""

import os
import sys
import unittest

from test_ack_wait import *  # noqa: F403 (the classes are what is run)
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
from test_packing import *  # noqa: F403
from test_patience import *  # noqa: F403
from test_publish import *  # noqa: F403
from test_redrive import *  # noqa: F403
from test_rules import *  # noqa: F403
from test_shapes import *  # noqa: F403
from test_share import *  # noqa: F403
from test_silence import *  # noqa: F403
from test_texts import *  # noqa: F403
from test_topics import *  # noqa: F403
from test_why import *  # noqa: F403
from test_within import *  # noqa: F403

if __name__ == "__main__":
    if not os.access(os.environ.get("SHUNTD", ""), os.X_OK):
        sys.exit("SHUNTD must name the shuntd to test")
    unittest.main()
