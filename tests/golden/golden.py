#!/usr/bin/env python3
"""Files hold: what this library finds in files of every format is what the library that wrote them found.

usage: golden.py check CLIENT FOLDER        every format in the folder (1/, 2/, ...); numbers to 1e-6, all else to the letter
       golden.py make CLIENT FOLDER/FORMAT  write files of the present formats: only when a format has changed (doc/abi.md)

CLIENT is the program of golden.c."""
import math
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

TOLERANCE = 1e-6


def run(client, *arguments, kernels=None):
    env = dict(os.environ, **({'SPT_TEST_KERNELS': kernels} if kernels else {}))
    return subprocess.run([client, *map(str, arguments)], capture_output=True, encoding='utf-8', env=env)


def number(word):
    try:
        return float(word)
    except ValueError:
        return math.nan


def differences(mine, theirs):
    """(the largest difference between numbers, what does not agree)"""
    worst, wrong = 0.0, []
    mine, theirs = mine.splitlines(), theirs.splitlines()
    if len(mine) != len(theirs):
        wrong.append(f'{len(mine)} lines; there were {len(theirs)}')
    for n, (a, b) in enumerate(zip(mine, theirs), 1):
        words, before = re.split(r'([\s,:]+)', a), re.split(r'([\s,:]+)', b)
        if len(words) != len(before):
            wrong.append(f'line {n}: {a!r} was {b!r}')
            continue
        for x, y in zip(words, before):
            p, q = number(x), number(y)
            if x == y:
                continue
            off = abs(p - q) / max(1.0, abs(q))
            if not off <= TOLERANCE:
                wrong.append(f'line {n}: {x!r} was {y!r}')
            else:
                worst = max(worst, off)
    return worst, wrong


def verdict(good, what, more=()):
    print(('ok   ' if good else 'FAIL ') + what)
    for line in more:
        print('      ' + line)
    return good


def check_format(client, folder):
    expected = (folder / 'expected.txt').read_text(encoding='utf-8')
    with tempfile.TemporaryDirectory() as scratch:
        study = Path(scratch) / 'study.db'
        shutil.copy(folder / 'study.db', study)
        for kernels in (None, 'portable'):
            told = run(client, 'tell', folder, study, kernels=kernels)
            worst, wrong = differences(told.stdout, expected)
            yield verdict(told.returncode == 0 and not wrong,
                          f'format {folder.name}: all files say what they said ({kernels or "fastest"} kernels, to {worst:.1e})',
                          wrong[:5] + told.stderr.splitlines())
        # The comparison itself: one number, one letter.
        spoiled = re.sub(r'(predictions: \d+\.\d{4})(\d)', lambda m: m[1] + str((int(m[2]) + 5) % 10), expected)
        yield verdict(spoiled != expected and bool(differences(told.stdout, spoiled)[1]), 'a prediction that is off by 5e-5 is noticed')
        yield verdict(bool(differences(told.stdout, expected.replace('swish', 'swush'))[1]), 'a word that differs is noticed')
        for what in (('newer', folder, scratch), ('on', study)):
            answer = run(client, *what)
            lines = answer.stdout.splitlines()
            print(answer.stdout, end='')
            yield from (line.startswith('ok') for line in lines if not line.startswith(' '))
            yield answer.returncode == 0 and bool(lines)


def check(client, folder):
    formats = sorted((p for p in folder.iterdir() if p.is_dir() and p.name.isdigit()), key=lambda p: int(p.name))
    results = [verdict(bool(formats), f'files of {len(formats)} formats')] + [r for f in formats for r in check_format(client, f)]
    print(f'{sum(results)} passed, {len(results) - sum(results)} failed')
    return not all(results)


def make(client, folder):
    folder.mkdir(parents=True)
    for step in (('make', folder), ('tell', folder, folder / 'study.db')):
        done = run(client, *step, kernels='portable')
        if done.returncode != 0:
            sys.exit(done.stdout + done.stderr)
    (folder / 'expected.txt').write_text(done.stdout, encoding='utf-8')
    # Small pages: most of the tables are nearly empty.
    with sqlite3.connect(folder / 'study.db') as db:
        db.execute('PRAGMA journal_mode = DELETE')
        db.execute('PRAGMA page_size = 512')
        db.execute('VACUUM')
    db.close()
    print(*(f'{p.name} {p.stat().st_size}' for p in sorted(folder.iterdir())), sep='\n')
    return 0


def main():
    if len(sys.argv) != 4 or sys.argv[1] not in ('check', 'make'):
        sys.exit(__doc__)
    sys.exit({'check': check, 'make': make}[sys.argv[1]](sys.argv[2], Path(sys.argv[3])))


if __name__ == '__main__':
    main()
