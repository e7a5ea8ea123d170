#!/usr/bin/env python3
"""Does the binary interface hold? Compares it with the one on record for each release, with abidiff of libabigail.

usage: abi.py check SOURCE-FOLDER [LIBRARY]    exit code 77 (skipped) where abidiff is missing or cannot be used
       abi.py baseline [SOURCE-FOLDER]         put the present interface on record as spectune-MAJOR.MINOR.abi

What is compared is an image of the headers: a library in which every declared function does nothing, and in which
every public type can be reached, also constants that functions take as int32_t. It takes a second to build, says
nothing of private types, and is the same for any compiler and machine of 64 bits. A LIBRARY with debug information (of
a build with -Ddebug=true) is compared as well; that it exports what the headers declare, in the same nodes, is
symbols.py's to check. So the image speaks for the library even without.

A release holds all baselines with its soname. Additions pass: functions, constants behind the others, members at the end
of a record that carries its size. Everything else fails."""
import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from shutil import which
from xml.etree import ElementTree

import headers

SKIPPED = 77
# Records that may not grow after all, with the reason.
FROZEN = {}
# No paths, lines, machines and parameter names: the file changes only with the interface.
WRITE = ['--headers-dir', None, '--drop-private-types', '--no-corpus-path', '--no-comp-dir-path', '--no-show-locs',
         '--no-architecture', '--no-elf-needed', '--no-parameter-names', '--no-write-default-sizes',
         '--type-id-style', 'hash', '--exported-interfaces-only']


def declaration(function):
    parameters = []
    for p in function.parameters:
        kind, _, array = p.type.partition(' [')
        parameters.append(f'{kind} {p.name}' + (f'[{array}' if array else ''))
    return f'{function.returns} {function.name}({", ".join(parameters) or "void"})'


def image_source(include):
    """C text that defines every stable function, and one function for each public type that has a name."""
    lines = ['#include <spectune.h>']
    for f in headers.functions(include):
        if f.header == 'experimental.h':
            continue
        unused = ' '.join(f'(void){p.name};' for p in f.parameters)
        lines.append(f'{declaration(f)} {{ {unused} {"" if f.returns == "void" else "return 0;"} }}')
    for path in headers.public_headers(include):
        if path.name != 'experimental.h':
            for name in re.findall(r'^\} (spt_\w+);', headers.without_comments(path.read_text()), flags=re.M):
                lines.append(f'void abi_{name}({name} *x);\nvoid abi_{name}({name} *x) {{ (void)x; }}')
    return '\n'.join(lines) + '\n'


def image(source, folder):
    """Build the image of the headers of a source folder; returns its path."""
    code, script, out = folder / 'image.c', folder / 'image.map', folder / 'libspectune.so'
    code.write_text(image_source(source / 'include'))
    script.write_text((source / 'lib/spectune.map').read_text() + 'ABI_TYPES { global: abi_*; };\n')
    compiler = shlex.split(os.environ.get('CC', 'cc'))
    subprocess.run([*compiler, '-std=c11', '-g', '-O0', '-fPIC', '-shared', f'-I{source / "include"}', str(code), '-o', str(out),
                    f'-Wl,--version-script={script}', f'-Wl,-soname,{soname(source)}'], check=True)
    return out


def soname(source):
    return 'libspectune.so.' + re.search(r"^abi_version = '(\w+)'", (source / 'meson.build').read_text(), flags=re.M).group(1)


def release(source):
    version = re.search(r"^\s*version: '(\d+\.\d+)", (source / 'meson.build').read_text(), flags=re.M).group(1)
    return version


def members(description):
    """record -> [(member, its type, bits from the start)], of the structs in a file of abidw."""
    root = ElementTree.parse(description).getroot()
    by_id = {e.get('id'): e for e in root.iter() if e.get('id')}

    def spell(identity):
        e = by_id[identity]
        if e.tag in ('pointer-type-def', 'qualified-type-def', 'array-type-def'):
            length = ''.join(f'[{s.get("length")}]' for s in e.iter('subrange'))
            return spell(e.get('type-id')) + (' *' if e.tag == 'pointer-type-def' else length or ' const')
        if e.tag == 'function-type':
            return f'{spell(e.find("return").get("type-id"))} ({", ".join(spell(p.get("type-id")) for p in e.iter("parameter"))})'
        return e.get('name')

    return {struct.get('name'): [(m.find('var-decl').get('name'), spell(m.find('var-decl').get('type-id')), int(m.get('layout-offset-in-bits')))
                                 for m in struct.findall('data-member')]
            for struct in root.iter('class-decl') if struct.get('is-declaration-only') != 'yes'}


def suppressions(baseline, present, include, folder, whole):
    """What abidiff is to pass over: records that have their old members where they were, and others behind them.

    Its own rule for members at the end also passes over old members that changed: so it hears of such records only."""
    old, new = members(baseline), members(present)
    grown = [r for r in headers.records(include) if r not in FROZEN and r in old and new[r] != old[r] and new[r][:len(old[r])] == old[r]]
    text = ''
    if grown:
        text += f'[suppress_type]\n  name_regexp = ^({"|".join(grown)})$\n  type_kind = struct\n  has_data_member_inserted_at = end\n'
    if not whole:  # the library has none of the functions that make types reachable
        text += '[suppress_function]\n  name_regexp = ^abi_spt_\n'
    path = folder / 'suppressions'
    path.write_text(text)
    return path


def describe(binary, include, out):
    """The interface of a library, as abidw tells it."""
    options = [str(include) if o is None else o for o in WRITE]
    subprocess.run(['abidw', *options, '--out-file', str(out), str(binary)], check=True)
    return out


def compare(baseline, binary, include, folder, whole=True):
    """The report of abidiff on what breaks a program linked against `baseline`; "" if nothing does."""
    # Of the two descriptions: told to read the library itself, abidiff takes our records for private.
    present = describe(binary, include, folder / 'present.abi')
    run = subprocess.run(['abidiff', '--no-added-syms', '--no-default-suppression', '--suppressions',
                          str(suppressions(baseline, present, include, folder, whole)), str(baseline), str(present)], capture_output=True, text=True)
    if run.returncode & 3:
        raise RuntimeError(f'abidiff: {run.stderr or run.stdout}')
    return (run.stdout + run.stderr) if run.returncode else ''


def baselines(source):
    """Those of the present soname, all of which the library must hold."""
    found = sorted((source / 'tests/abi').glob('spectune-*.abi'))
    return [p for p in found if f"soname='{soname(source)}'" in p.read_text()[:400]]


def has_debug_info(library):
    return '.debug_info' in subprocess.run(['readelf', '-SW', library], check=True, capture_output=True, text=True).stdout


def unusable():
    for tool in ('abidiff', 'abidw', 'readelf'):
        if not which(tool):
            return f'no {tool} here (Debian: abigail-tools, binutils)'
    if sys.maxsize < 2**32 or sys.byteorder != 'little':
        return 'the interfaces on record are those of 64-bit little-endian machines'
    return None


def verdict(what, report):
    print(('FAIL ' if report else 'ok   ') + what)
    for line in report.splitlines():
        print('      ' + line)
    return not report


def check(source, library):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        present, include = image(source, folder), source / 'include'
        results = [verdict('there is an interface on record for ' + soname(source), '' if baselines(source) else 'no tests/abi/*.abi')]
        for baseline in baselines(source):
            results.append(verdict(f'programs linked against {baseline.stem} go on working', compare(baseline, present, include, folder)))
            if library and has_debug_info(library):
                results.append(verdict(f'{Path(library).name}, by its debug information, holds {baseline.stem}',
                                       compare(baseline, library, include, folder, whole=False)))
        if library and not has_debug_info(library):
            print(f'skip {Path(library).name} itself: built without debug information')
    print(f'{sum(results)} passed, {len(results) - sum(results)} failed')
    return 0 if all(results) else 1


def write_baseline(source):
    out = source / f'tests/abi/spectune-{release(source)}.abi'
    with tempfile.TemporaryDirectory() as name:
        describe(image(source, Path(name)), source / 'include', out)
    # The name of the temporary file is none of the interface's.
    out.write_text(re.sub(r" path='[^']*image\.c'", " path='image.c'", out.read_text()))
    print(f'{out}: {out.stat().st_size} bytes')


def main():
    if len(sys.argv) < 2 or sys.argv[1] not in ('check', 'baseline'):
        sys.exit(__doc__)
    reason = unusable()
    if reason:
        print('skipped:', reason)
        sys.exit(SKIPPED)
    source = Path(sys.argv[2]).resolve() if len(sys.argv) > 2 else headers.root()
    if sys.argv[1] == 'baseline':
        write_baseline(source)
    else:
        sys.exit(check(source, sys.argv[3] if len(sys.argv) > 3 else None))


if __name__ == '__main__':
    main()
