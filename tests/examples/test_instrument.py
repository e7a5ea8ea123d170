#!/usr/bin/env python3
"""The C++ example, as an instrument's program would run it: on the model's bands, on others, with spectra that are bad.

usage: test_instrument.py PROGRAM FOLDER        FOLDER: of golden files, whose predictions are known"""
import csv
import subprocess
import sys
from pathlib import Path

passed = failed = 0


def check(good, what, more=''):
    global passed, failed
    passed, failed = passed + bool(good), failed + (not good)
    print(f'{"ok  " if good else "FAIL"} {what}' + (f': {more}' if more and not good else ''))


def run(program, *arguments, lines):
    text = ''.join(','.join(line) + '\n' for line in lines)
    return subprocess.run([program, *map(str, arguments)], input=text, capture_output=True, encoding='utf-8')


def predictions(answer):
    return [float(line.split(',')[1]) for line in answer.stdout.splitlines()[1:] if line.split(',')[1]]


def close(a, b, tolerance):
    return len(a) == len(b) and all(abs(x - y) <= tolerance * max(1, abs(y)) for x, y in zip(a, b))


def main():
    program, folder = sys.argv[1], Path(sys.argv[2])
    model = folder / 'model.xml'
    table = list(csv.reader((folder / 'spectra.csv').read_text(encoding='utf-8').splitlines()))
    bands = [i for i, name in enumerate(table[0]) if name.isdigit()]
    header = ['id'] + [table[0][i] for i in bands]
    rows = [[row[0]] + [row[i] for i in bands] for row in table[1:]]
    told = next(line for line in (folder / 'expected.txt').read_text(encoding='utf-8').splitlines() if line.startswith('predictions:'))
    known = [float(word) for word in told.split()[1:]]

    answer = run(program, model, lines=[header] + rows)
    check(answer.returncode == 0 and answer.stdout.startswith('id,clay,note'), 'it serves a stream', answer.stderr)
    check(close(predictions(answer), known, 1e-5), 'its values are those on record', answer.stdout)
    check(answer.stderr == '', 'on the bands of the model nothing is said', answer.stderr)

    # Twice as many bands, the new ones half way.
    def between(values):
        return [v for a, b in zip(values, values[1:]) for v in (a, (a + b) / 2)] + [values[-1]]

    denser = [[row[0]] + [f'{v:.9f}' for v in between([float(x) for x in row[1:]])] for row in [header] + rows]
    denser[0] = ['id'] + [f'{v:g}' for v in between([float(x) for x in header[1:]])]
    answer = run(program, model, lines=denser)
    check('interpolated' in answer.stderr, 'other bands are noticed', answer.stderr)
    check(close(predictions(answer), known, 1e-5), 'and interpolated')

    reflectance = [header] + [[row[0]] + [f'{10 ** -float(v):.9f}' for v in row[1:]] for row in rows[:3]]
    answer = run(program, model, 'reflectance', lines=reflectance)
    check(answer.returncode == 1 and 'reflectance' in answer.stderr, 'another unit is refused, with both named', answer.stderr)

    bad = [['below'] + ['-1'] * len(bands), ['short', '1', '2'], ['word'] + ['x'] * len(bands)]
    answer = run(program, model, lines=[header, rows[0], rows[0]] + bad + [rows[1]])
    lines = answer.stdout.splitlines()[1:]
    check(answer.returncode == 0 and len(lines) == 6, 'bad spectra do not end it', answer.stdout)
    check('frozen' in lines[1] and lines[0].endswith(','), 'the same spectrum again is noticed')
    check('below -0.3' in lines[2] and lines[2].startswith('below,,'), 'an impossible spectrum has a reason and no value', lines[2])
    check('bands' in lines[3] and 'not a number' in lines[4], 'and so has a line that is none')
    check(close([float(lines[5].split(',')[1])], known[1:2], 1e-5), 'the next one is predicted')

    check('not found' in run(program, folder / 'none.xml', lines=[header]).stderr, 'a missing model is named')
    check(run(program, model, 'furlongs', lines=[header]).returncode == 2, 'an unknown unit is misuse')
    print(f'{passed} passed, {failed} failed')
    return failed != 0


sys.exit(main())
