#!/usr/bin/env python3
"""Write text files as C arrays, so that the library needs no file at run time.

usage: embed.py OUT.c NAME=FILE [NAME=FILE ...]

Each becomes `const char NAME[]`, ending with a NUL. Declare it where it is used.
"""
import sys


def main():
    out, pairs = sys.argv[1], [arg.split("=", 1) for arg in sys.argv[2:]]
    with open(out, "w", encoding="ascii") as c:
        c.write("/* Written by embed.py; do not edit. */\n")
        for name, path in pairs:
            with open(path, "rb") as f:
                data = f.read()
            if b"\0" in data or not data.isascii():
                sys.exit(f"{path}: holds a NUL or something else than ASCII")
            # A char may be signed or not; schemas are plain ASCII, where that does not matter.
            codes = [str(b) for b in data] + ["0"]
            c.write(f"extern const char {name}[];\nconst char {name}[] = {{\n")
            for i in range(0, len(codes), 24):
                c.write("    " + ", ".join(codes[i:i + 24]) + ",\n")
            c.write("};\n")


main()
