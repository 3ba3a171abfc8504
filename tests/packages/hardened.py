"""What an ELF file says of how it was linked and compiled, as `hardening-check` of Debian looks at it."""
import re
import subprocess


def says(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def linked_faults(path):
    """What the linker left open: a list of sentences, empty if it is all right."""
    header, segments, dynamic = (says("readelf", "-W", option, path) for option in ("-h", "-l", "-d"))
    writable_code = [line for line in segments.splitlines() if re.match(r"\s+(LOAD|GNU_STACK)\s.*\bRWE\b", line)]
    found = {
        "it is not position independent": not re.search(r"Type:\s+DYN", header),
        "its tables can be written after the start": "GNU_RELRO" not in segments,
        "it looks its functions up while it runs": not re.search(r"\((BIND_NOW|FLAGS)\).*BIND_NOW|\(BIND_NOW\)|\(FLAGS_1\).*\bNOW\b", dynamic),
        "it has code that can be written, or a stack that can be run": bool(writable_code) or "GNU_STACK" not in segments,
        "its code is changed at the start": "TEXTREL" in dynamic,
    }
    return [fault for fault, is_so in found.items() if is_so]


def compiled_faults(path):
    """What the compiler left out, as far as the code itself shows it."""
    used = says("readelf", "-W", "--dyn-syms", path)
    found = {
        "no function guards its stack": "__stack_chk_fail" not in used,
        "no copy is checked against the room that it has": not re.search(r"__\w+_chk@", used),
    }
    if re.search(r"Machine:.*X86-64", says("readelf", "-h", path)):
        found["its functions can be entered by any jump"] = says("objdump", "-d", "--no-show-raw-insn", path).count("endbr64") < 20
    return [fault for fault, is_so in found.items() if is_so]
