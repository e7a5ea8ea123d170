#!/usr/bin/env python3
"""The exported symbols, told in three places that must say the same: the public headers, doc/symbols.txt, lib/spectune.map.

usage: symbols.py check SOURCE-FOLDER [LIBRARY]     compare the three, and what the library exports
       symbols.py write [SOURCE-FOLDER]             write the list and the map anew from the headers

doc/symbols.txt has a line for each symbol: its name, the version that added it (@since of the declaration, or of its
header) and "experimental" for what spectune/experimental.h declares. The map puts what 0.1 brought into the node
SPECTUNE_0, what a later version adds into a node of that version's name, so that a program which needs it is refused by
an older library when it is loaded, not when it calls. A symbol never changes its node."""
import re
import subprocess
import sys
from pathlib import Path

import headers

LIST_HEAD = '''# Every exported symbol and the version that added it; written by tests/abi/symbols.py from the headers.
'''
MAP_HEAD = '''/* What leaves the library; written by tests/abi/symbols.py from the headers. doc/abi.md tells of the nodes. */
'''


def numbers(version):
    return [int(n) for n in version.split('.')]


def read_headers(source):
    """name -> (since, experimental)"""
    return {f.name: (f.since, f.header == 'experimental.h') for f in headers.functions(source / 'include')}


def write_list(symbols):
    return LIST_HEAD + ''.join(f'{name} {since}{" experimental" if experimental else ""}\n'
                               for name, (since, experimental) in sorted(symbols.items()))


def node_of(since, experimental):
    if experimental:
        return 'SPECTUNE_EXPERIMENTAL'
    return 'SPECTUNE_0' if since == '0.1' else 'SPECTUNE_' + since


def write_map(symbols):
    text, before = MAP_HEAD, ''
    versions = sorted({s for s, experimental in symbols.values() if not experimental}, key=numbers)
    for since in versions:
        names = sorted(n for n, s in symbols.items() if s == (since, False))
        text += node_of(since, False) + ' {\n    global:\n' + ''.join(f'        {n};\n' for n in names)
        text += ('' if before else '    local:\n        *;\n') + '}' + before + ';\n'
        before = ' ' + node_of(since, False)
    names = sorted(n for n, (_, experimental) in symbols.items() if experimental)
    if names:
        text += 'SPECTUNE_EXPERIMENTAL {\n    global:\n' + ''.join(f'        {n};\n' for n in names) + '};\n'
    return text


def exported(library):
    """name -> node, of what the dynamic symbol table defines. The nodes' own names are absolute symbols."""
    out = subprocess.run(['nm', '-D', '--defined-only', library], check=True, capture_output=True, text=True).stdout
    found = {}
    for line in out.splitlines():
        kind, symbol = line.split()[-2:]
        if kind != 'A':
            name, _, node = symbol.partition('@')
            found[name] = node.lstrip('@')
    return found


def differences(what, ours, theirs):
    return ([f'{what} lacks {n}' for n in sorted(ours.keys() - theirs.keys())]
            + [f'{what} has {n}, which no header declares' for n in sorted(theirs.keys() - ours.keys())]
            + [f'{what} has {n} as "{theirs[n]}"; by the headers it is "{ours[n]}"'
               for n in sorted(ours.keys() & theirs.keys()) if ours[n] != theirs[n]])


def read_list(path):
    lines = [line.split() for line in path.read_text().splitlines() if line and not line.startswith('#')]
    return {name: (rest[0], rest[1:] == ['experimental']) for name, *rest in lines}


def read_map(path):
    found = {}
    for node, body in re.findall(r'(\w[\w.]*) \{(.*?)\}', headers.without_comments(path.read_text()), flags=re.S):
        found.update({name: node for name in re.findall(r'(\w+);', body.split('local:')[0])})
    return found


def check(source, library):
    symbols = read_headers(source)
    nodes = {n: node_of(*s) for n, s in symbols.items()}
    listed, mapped = source / 'doc/symbols.txt', source / 'lib/spectune.map'
    problems = [('doc/symbols.txt is that of the headers', differences('doc/symbols.txt', symbols, read_list(listed))),
                ('doc/symbols.txt is sorted', [] if listed.read_text() == write_list(read_list(listed)) else
                 ['lines are out of order or not as symbols.py writes them']),
                ('lib/spectune.map is that of the headers', differences('lib/spectune.map', nodes, read_map(mapped)))]
    globs = re.findall(r'[^\s;]*\*[^\s;]*', re.sub(r'local:\s*\*;', '', headers.without_comments(mapped.read_text())))
    problems.append(('lib/spectune.map names its symbols', [f'{g} is a pattern' for g in globs]))
    if library:
        problems.append(('the library exports what the headers declare',
                         differences(Path(library).name, nodes, exported(library))))
    return problems


def main():
    if len(sys.argv) < 2 or sys.argv[1] not in ('check', 'write'):
        sys.exit(__doc__)
    source = Path(sys.argv[2]) if len(sys.argv) > 2 else headers.root()
    if sys.argv[1] == 'write':
        symbols = read_headers(source)
        (source / 'doc/symbols.txt').write_text(write_list(symbols))
        (source / 'lib/spectune.map').write_text(write_map(symbols))
        print(f'{len(symbols)} symbols')
        return
    results = check(source, sys.argv[3] if len(sys.argv) > 3 else None)
    for what, problems in results:
        print(('FAIL ' if problems else 'ok   ') + what)
        for p in problems:
            print('      ' + p)
    failed = sum(bool(problems) for _, problems in results)
    if failed:
        print('after a change of headers: python3 tests/abi/symbols.py write')
    print(f'{len(results) - failed} passed, {failed} failed')
    sys.exit(failed > 0)


if __name__ == '__main__':
    main()
