"""run: one libFuzzer program for SHUNT_FUZZ_SECONDS (default 2), starting from its committed corpus.

run.py [--must-find] PROGRAM CORPUS FOR_CRASHES MAX_LEN

A crash is copied to FOR_CRASHES; make it a file of CORPUS with a name that says what it is, and fix the bug. A run that got through
too few inputs fails. The seed is fixed unless SHUNT_FUZZ_SEED says another (0 is a new one each time).
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

RUNS_MIN = 500


def reports_on_stderr():
    """The environment, without a sanitizer's log_path: what is reported is read here, and in the negative control it is no failure."""
    environment = dict(os.environ)
    for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS"):
        options = environment.get(name, "").split(":")
        environment[name] = ":".join(option for option in options if not option.startswith("log_path="))
    return environment


def main():
    arguments = sys.argv[1:]
    must_find = arguments[0] == "--must-find"
    program, corpus, crashes, max_len = arguments[must_find:]
    seconds = int(os.environ.get("SHUNT_FUZZ_SECONDS", "2"))
    if must_find:
        seconds = max(seconds, 20)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        grown, found = pathlib.Path(folder, "corpus"), pathlib.Path(folder, "found")
        grown.mkdir()
        found.mkdir()
        # What it learns goes into the first folder, so that the source tree stays as it is.
        done = subprocess.run(
            [program, grown, corpus, f"-max_total_time={seconds}", f"-max_len={max_len}", f"-seed={os.environ.get('SHUNT_FUZZ_SEED', '1')}",
             "-rss_limit_mb=2048", "-timeout=10", "-print_final_stats=1", "-close_fd_mask=1", f"-artifact_prefix={found}/"],
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace", env=reports_on_stderr(), check=False)
        inputs = sorted(found.iterdir())
        if must_find:
            print(f"the planted bug was {'found' if inputs else 'not found'}")
            return 0 if done.returncode and inputs and "heap-buffer-overflow" in done.stderr else 1
        runs = re.search(r"stat::number_of_executed_units:\s*(\d+)", done.stderr)
        count = int(runs[1]) if runs else 0
        if done.returncode or inputs:
            print(done.stderr[-8000:])
            for path in inputs:
                kept = pathlib.Path(crashes, f"{pathlib.Path(program).name}-{path.name}")
                shutil.copy(path, kept)
                print(f"the input is kept: {kept}\n{path.read_bytes()[:256].hex()}")
            return 1
        print(f"{count} inputs in {seconds} s, none crashed")
        return 0 if count >= RUNS_MIN else 1


sys.exit(main())
