"""must_report: does ThreadSanitizer report the race of the program named?"""
import subprocess
import sys

done = subprocess.run([sys.argv[1]], stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=50, check=False)
found = done.returncode == 66 and "ThreadSanitizer: data race" in done.stderr
print("the planted race was " + ("reported" if found else f"not reported: exit {done.returncode}\n{done.stderr}"))
sys.exit(0 if found else 1)
