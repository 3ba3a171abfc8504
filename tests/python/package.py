"""package: where the Python package lies, to be imported from there."""

import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "python" / "shunt"
sys.path.insert(0, str(PACKAGE.parent))
