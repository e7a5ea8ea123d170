#!/usr/bin/env python3
"""Writes records.h for test_records.c: a line RECORD(type) for every public record.

usage: records.py SOURCE-FOLDER OUTPUT"""
import sys
from pathlib import Path

source = Path(sys.argv[1]) if len(sys.argv) == 3 else sys.exit(__doc__)
sys.path.insert(0, str(source / 'tests/abi'))
import headers  # noqa: E402

Path(sys.argv[2]).write_text(''.join(f'RECORD({name})\n' for name in headers.records(source / 'include')))
