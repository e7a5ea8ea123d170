#!/usr/bin/env python3
"""The gate works: copies of the interface, each changed in one way, are held against the one on record. What breaks a
program must fail, what does not must pass.

usage: test_abi.py SOURCE-FOLDER      exit code 77 (skipped) where abi.py cannot be used"""
import re
import shutil
import sys
import tempfile
from pathlib import Path

import abi
import headers
import symbols

NEW = '''
/** A newcomer. @since 0.2 */
SPT_API int32_t spt_ctx_newcomer(spt_ctx *ctx, double value);
'''
EXPERIMENT = '''/** @file Not settled. @since 0.2 */
#ifndef SPECTUNE_EXPERIMENTAL_H
#define SPECTUNE_EXPERIMENTAL_H
#include "base.h"
SPT_API int32_t spt_ctx_experiment(spt_ctx *ctx);
#endif
'''


class Copy:
    """The interface in a folder of its own, to be changed."""

    def __init__(self, source, folder):
        self.root = folder
        for part in ('include', 'tests/abi'):
            shutil.copytree(source / part, folder / part)
        for part in ('lib/spectune.map', 'doc/symbols.txt', 'meson.build'):
            (folder / part).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source / part, folder / part)

    def edit(self, name, pattern, replacement):
        path = self.root / name
        text, n = re.subn(pattern, replacement, path.read_text(), count=1, flags=re.S)
        if n != 1:
            raise RuntimeError(f'{name} has nothing like {pattern}: this test is behind the headers')
        path.write_text(text)

    def add(self, name, text):
        (self.root / name).write_text(text)

    def renew(self):
        known = symbols.read_headers(self.root)
        self.add('doc/symbols.txt', symbols.write_list(known))
        self.add('lib/spectune.map', symbols.write_map(known))


def header(name):
    return f'include/spectune/{name}.h'


# What breaks a program that is linked already.
BREAKS = {
    'a function removed': lambda c: c.edit(header('base'), r'SPT_API int32_t spt_ctx_stopping[^;]*;', ''),
    'a parameter of another type': lambda c: c.edit(header('base'), r'spt_ctx_set_threads\(spt_ctx \*ctx, int32_t n\)',
                                                    'spt_ctx_set_threads(spt_ctx *ctx, int64_t n)'),
    'a parameter more': lambda c: c.edit(header('base'), r'(spt_ctx_set_threads\([^)]*)\)', r'\1, int32_t more)'),
    'another type of result': lambda c: c.edit(header('base'), r'SPT_API int32_t spt_ctx_threads', 'SPT_API int64_t spt_ctx_threads'),
    'a constant of another value': lambda c: c.edit(header('data'), r'SPT_UNIT_REFLECTANCE = 2', 'SPT_UNIT_REFLECTANCE = 7'),
    'a constant removed': lambda c: c.edit(header('nn'), r'SPT_ACTIVATION_ELU = 3,', ''),
    'a status of another value': lambda c: c.edit(header('base'), r'X\(SPT_ENOMEM, -2', 'X(SPT_ENOMEM, -42'),
    'members of a record that change places': lambda c: c.edit(
        header('nn'), r'(int64_t best;[^\n]*\n)(\s*double loss;[^\n]*\n)(\s*double watched;[^\n]*\n)', r'\3\2\1'),
    'a member in the middle of a record': lambda c: c.edit(header('store'), r'(double value;)', r'double more; \1'),
    'one in the middle and one at the end': lambda c: c.edit(header('store'), r'(double value;)(.*?\n)(\} spt_trial_info;)',
                                                             r'double more; \1\2    int64_t last;\n\3'),
    'a member of a record removed': lambda c: c.edit(header('store'), r'int64_t n_steps;', ''),
    'a member of another type': lambda c: c.edit(header('store'), r'int64_t n_steps;', 'double n_steps;'),
    'a callback of another shape': lambda c: c.edit(header('base'), r'(\*spt_log_fn\)\(int32_t level, )', r'\1double time, '),
    'a version of its own for what had one': lambda c: c.edit(
        'lib/spectune.map', r'\{\n(.*?)        spt_version;\n(.*)', r'{\n\1\2SPECTUNE_0.2 {\n    global:\n        spt_version;\n} SPECTUNE_0;\n'),
    'another soname': lambda c: c.edit('meson.build', r"abi_version = '0'", "abi_version = '1'"),
}
# What does not.
HOLDS = {
    'nothing': lambda c: None,
    'a function more': lambda c: c.edit(header('base'), r'(#ifdef __cplusplus\n\}\n#endif)', lambda m: NEW + m.group(1)),
    'a constant behind the others': lambda c: c.edit(header('nn'), r'(SPT_ACTIVATION_SWISH = 5,)', r'\1 SPT_ACTIVATION_GELU = 6,'),
    'a status more': lambda c: c.edit(header('base'), r'(    X\(SPT_ECALLBACK)', r'    X(SPT_ENEWS, -16, "news") \\\n\1'),
    'a member at the end of a record': lambda c: c.edit(header('store'), r'(\n\} spt_trial_info;)', r'\n    double more;\1'),
    'a record more': lambda c: c.edit(header('base'), r'(#ifdef __cplusplus\n\}\n#endif)',
                                      r'typedef struct spt_news { uint32_t struct_size; int32_t news; } spt_news;\n\1'),
    'a parameter of another name': lambda c: c.edit(header('base'), r'(spt_ctx_set_threads\(spt_ctx \*ctx, int32_t) n', r'\1 threads'),
    'an experiment': lambda c: c.add(header('experimental'), EXPERIMENT),
}


def run(copy, change):
    """The problems that the gate finds in a copy changed so."""
    before = (copy.root / 'lib/spectune.map').read_text()
    change(copy)
    if (copy.root / 'lib/spectune.map').read_text() == before:
        copy.renew()
    found = abi.baselines(copy.root)
    if not found:
        return 'no interface on record has that soname'
    folder, include = copy.root, copy.root / 'include'
    present = abi.image(copy.root, folder)
    # The image as the library, too: what has debug information is compared by itself.
    return ''.join(abi.compare(b, present, include, folder, whole) for b in found for whole in (True, False))


def lists(source):
    """What symbols.py must notice, on copies again: (what, was it noticed)."""
    def problems(change, library_of=None):
        with tempfile.TemporaryDirectory() as name:
            copy = Copy(source, Path(name))
            library = str(abi.image(copy.root, copy.root)) if library_of else None
            change(copy)
            # The image has types that the library has not, and no experiments.
            apart = [f.name for f in headers.functions(copy.root / 'include') if f.header == 'experimental.h']
            return [p for what, found in symbols.check(copy.root, library) for p in found
                    if 'abi_spt_' not in p and not any(p.endswith('lacks ' + name) for name in apart)]
    yield 'a copy as it is', not problems(lambda c: None, library_of=True)
    yield 'a symbol that the list lacks', problems(lambda c: c.edit('doc/symbols.txt', r'spt_version [^\n]*\n', ''))
    yield 'a symbol that no header has', problems(lambda c: c.edit('doc/symbols.txt', r'spt_version ', 'spt_versions 0.1\nspt_version '))
    yield 'a symbol of another version', problems(lambda c: c.edit('doc/symbols.txt', r'(spt_version) 0.1', r'\1 0.2'))
    yield 'a list out of order', problems(lambda c: c.edit('doc/symbols.txt', r'\n(spt_unit_name [^\n]*)\n(spt_version [^\n]*)', r'\n\2\n\1'))
    yield 'a symbol that the map lacks', problems(lambda c: c.edit('lib/spectune.map', r'        spt_version;\n', ''))
    yield 'a pattern in the map', problems(lambda c: c.edit('lib/spectune.map', r'spt_version;', 'spt_version; spt_v*;'))
    yield 'a symbol that the library lacks', problems(
        lambda c: (c.edit(header('base'), r'(#ifdef __cplusplus\n\}\n#endif)', lambda m: NEW + m.group(1)), c.renew()), library_of=True)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    reason = abi.unusable()
    if reason:
        print('skipped:', reason)
        sys.exit(abi.SKIPPED)
    source, results = Path(sys.argv[1]).resolve(), []
    for cases, breaks in ((BREAKS, True), (HOLDS, False)):
        for what, change in cases.items():
            with tempfile.TemporaryDirectory() as name:
                report = run(Copy(source, Path(name)), change)
            results.append(bool(report) == breaks)
            print(f'{"ok  " if results[-1] else "FAIL"} {what} {"breaks" if breaks else "holds"}')
            if not results[-1]:
                print(report)
    for what, noticed in lists(source):
        results.append(bool(noticed))
        print(f'{"ok  " if noticed else "FAIL"} noticed: {what}')
    print(f'{sum(results)} passed, {len(results) - sum(results)} failed')
    sys.exit(not all(results))


if __name__ == '__main__':
    main()
