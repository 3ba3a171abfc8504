"""packing: the msgpack of the Python package (python/shunt), where these tests find it. They write other forms with Raw."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "python"))
from shunt.packing import PackingError, Raw, decode, encode  # noqa: E402, F401
