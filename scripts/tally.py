"""Count the results of `meson test`: tally.py BUILD/meson-logs/testlog[-WHAT].json… prints one line `PASSED FAILED SKIPPED` to stdout and, to
stderr, the tests that took longest, and each that failed or was skipped, with the reason that it gave."""
import json
import pathlib
import sys

PASSED = {"OK", "EXPECTEDFAIL"}
SKIPPED = {"SKIP"}
SLOWEST = 15


def reason(test):
    """The last line a test printed."""
    lines = [line for line in test.get("stdout", "").splitlines() if line.strip()]
    return f": {lines[-1].strip()}" if lines else ""


def main(paths):
    passed = failed = skipped = 0
    took, lines = [], []
    for path in paths:
        path = pathlib.Path(path)
        build = path.parent.parent.name + path.stem.removeprefix("testlog")
        for line in path.read_text(encoding="utf-8").splitlines():
            test = json.loads(line)
            name = f"{build}: {test['name']}"
            took.append((test["duration"], name))
            if test["result"] in PASSED:
                passed += 1
            elif test["result"] in SKIPPED:
                skipped += 1
                lines.append(f"skipped  {name}{reason(test)}")
            else:
                failed += 1
                lines.append(f"failed   {name} ({test['result']})")
    slowest = [f"{seconds:6.1f} s  {name}" for seconds, name in sorted(took, reverse=True)[:SLOWEST]]
    print("\n".join(slowest + lines), file=sys.stderr)
    print(passed, failed, skipped)


main(sys.argv[1:])
