#!/usr/bin/env python3
"""What the built library asks of the system that loads it: only libraries of a list, its own soname, no path of the
machine that built it, no code that must be writable, no executable stack.

usage: library.py SOURCE-FOLDER LIBRARY"""
import re
import subprocess
import sys
from pathlib import Path


def allowed(path):
    return [line.split()[0] for line in path.read_text().splitlines() if line and not line.startswith('#')]


def foreign(dynamic, names):
    """Libraries needed that are not of the names: "libm.so" allows libm.so and libm.so.6."""
    needed = re.findall(r'\(NEEDED\).*\[(.*)\]', dynamic)
    return [n for n in needed if not any(re.match(re.escape(a) + r'($|[.-])', n) for a in names)]


def readelf(option, library):
    return subprocess.run(['readelf', option, library], check=True, capture_output=True, text=True).stdout


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    source, library = Path(sys.argv[1]), sys.argv[2]
    names = allowed(source / 'tests/abi/libraries.txt')
    abi = re.search(r"^abi_version = '(\w+)'", (source / 'meson.build').read_text(), flags=re.M).group(1)
    dynamic, segments = readelf('-dW', library), readelf('-lW', library)
    stack = re.search(r'GNU_STACK\s.*?\s([RWE]+)\s', segments)
    results = {
        'needs only libraries of tests/abi/libraries.txt': not foreign(dynamic, names),
        'a library that is not on the list is noticed': foreign(dynamic, [n for n in names if n != 'libxml2.so']) == foreign(
            dynamic, names) + re.findall(r'\[(libxml2\.so[^\]]*)\]', dynamic),
        f'its soname is libspectune.so.{abi}': f'[libspectune.so.{abi}]' in dynamic,
        'what it calls of its own is its own, whatever else the process has': not re.search(r'\sspt_\w+@', readelf('-rW', library)),
        'no path of the build machine in it': not re.search(r'\((RPATH|RUNPATH)\)', dynamic),
        'no code that must be writable': 'TEXTREL' not in dynamic,
        'no executable stack': bool(stack) and 'E' not in stack.group(1),
    }
    for what, good in results.items():
        print(('ok   ' if good else 'FAIL ') + what)
    for name in foreign(dynamic, names):
        print('      needs', name)
    print(f'{sum(results.values())} passed, {len(results) - sum(results.values())} failed')
    sys.exit(not all(results.values()))


if __name__ == '__main__':
    main()
