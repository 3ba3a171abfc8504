"""must_report: does ThreadSanitizer report the race of the program named?"""
import os
import subprocess
import sys

# The sanitizers of clang share what UBSAN_OPTIONS says: with a log_path there the report is not on standard error, and a report in
# the folder it names is a failure of the whole run.
environment = {name: value for name, value in os.environ.items() if name not in ("ASAN_OPTIONS", "UBSAN_OPTIONS")}
done = subprocess.run([sys.argv[1]], stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=50,
                      env=environment, check=False)
found = done.returncode == 66 and "ThreadSanitizer: data race" in done.stderr
print("the planted race was " + ("reported" if found else f"not reported: exit {done.returncode}\n{done.stderr}"))
sys.exit(0 if found else 1)
