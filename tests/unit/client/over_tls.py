#!/usr/bin/env python3
"""over_tls: run a test program whose brokers (broker.c) speak TLS, with certificates that are made for it and removed.

over_tls.py PROGRAM [ARGUMENT]…
"""
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "e2e"))

from certificates import Authority  # noqa: E402

with tempfile.TemporaryDirectory(prefix="shunt-tls-") as directory:
    authority = Authority(directory)
    cert, key = authority.issue("server")
    config = pathlib.Path(directory, "config")
    config.write_text(f"tls-cert: {cert}\ntls-key: {key}\n", encoding="utf-8")
    told = {**os.environ, "BROKER_CONFIG": str(config), "BROKER_QUERY": f"?ca={authority.cert}"}
    sys.exit(subprocess.run(sys.argv[1:], env=told, check=False).returncode)
