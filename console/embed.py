"""embed.py FILE… OUTPUT: writes the console's built files as C, each as it is and compressed. The same files give the same bytes."""
import gzip
import hashlib
import os
import sys

TYPES = {".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}
BYTES_A_LINE = 32


def array(name, data):
    lines = (",".join(map(str, data[at : at + BYTES_A_LINE])) for at in range(0, len(data), BYTES_A_LINE))
    return f"static const unsigned char {name}[] = {{\n" + ",\n".join(lines) + "};\n"


def main():
    *paths, output = sys.argv[1:]
    arrays, rows = [], []
    for i, path in enumerate(sorted(paths, key=os.path.basename)):
        name = os.path.basename(path)
        kind = TYPES.get(os.path.splitext(name)[1])
        if not kind:
            sys.exit(f"embed.py: {path}: no type is known for the ending of its name")
        with open(path, "rb") as file:
            plain = file.read()
        if not plain:
            sys.exit(f"embed.py: {path}: is empty")
        packed = gzip.compress(plain, 9, mtime=0)
        arrays += [array(f"plain_{i}", plain), array(f"packed_{i}", packed)]
        tag = hashlib.sha256(plain).hexdigest()[:32]
        rows.append(f'    {{"{name}", "{kind}", "{tag}", {{plain_{i}, sizeof plain_{i}}}, {{packed_{i}, sizeof packed_{i}}}}},\n')
    text = '/* Made by console/embed.py. */\n#include "broker/http/console_files.h"\n\n' + "".join(arrays)
    text += "\nconst struct console_file console_files[] = {\n" + "".join(rows) + "};\n"
    text += "const unsigned console_files_count = sizeof console_files / sizeof console_files[0];\n"
    with open(output, "w", encoding="ascii") as file:
        file.write(text)


if __name__ == "__main__":
    main()
