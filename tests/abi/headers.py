"""What the public headers declare, for the scripts that check it: functions with their parameters, records, constants.

The headers keep to a plain style (tests/house and the compilers see to that), so a reader of that style is enough.
"""
import re
from pathlib import Path
from typing import NamedTuple


class Parameter(NamedTuple):
    type: str  # "const spt_ctx *", "int64_t", "char [65]"
    name: str


class Function(NamedTuple):
    name: str
    returns: str
    parameters: list
    since: str
    header: str
    line: int


def public_headers(include):
    """The headers in the order in which the umbrella includes them; experimental ones, which it leaves out, last."""
    rooms = re.findall(r'#include "spectune/(\w+\.h)"', (include / 'spectune.h').read_text())
    found = {path.name for path in (include / 'spectune').glob('*.h')}
    return [include / 'spectune' / name for name in rooms + sorted(found - set(rooms))]


def without_comments(text):
    """The same text with comments blanked, line for line."""
    return re.sub(r'/\*.*?\*/', lambda m: re.sub(r'[^\n]', ' ', m.group()), text, flags=re.S)


def split_parameter(text):
    text = ' '.join(text.split())
    array = re.search(r'(\[\d*\])$', text)
    m = re.match(r'(.*?)(\w+)$', text[:array.start()] if array else text)
    kind = m.group(1).strip()
    return Parameter(kind + ' ' + array.group(1) if array else kind, m.group(2))


def functions_of(path):
    raw = path.read_text()
    code = without_comments(raw)
    whole = re.search(r'@since (\d+\.\d+)', raw).group(1)
    result = []
    for m in re.finditer(r'^SPT_API ([^;{]*?)\b(spt_\w+)\(([^;]*)\);', code, flags=re.M | re.S):
        # The comment that ends right before the declaration is its own.
        comment = re.search(r'/\*\*((?:(?!\*/).)*)\*/\s*$', raw[:m.start()], flags=re.S)
        since = re.findall(r'@since (\d+\.\d+)', comment.group(1)) if comment else []
        inside = m.group(3).strip()
        parameters = [] if inside == 'void' else [split_parameter(p) for p in inside.split(',')]
        result.append(Function(m.group(2), ' '.join(m.group(1).split()), parameters, since[-1] if since else whole,
                               path.name, code.count('\n', 0, m.start()) + 1))
    return result


def functions(include):
    return [f for path in public_headers(include) for f in functions_of(path)]


def records(include):
    """Names of the public records: the structs that start with their size."""
    return [name for path in public_headers(include)
            for name in re.findall(r'struct (spt_\w+) \{\s*uint32_t struct_size;', without_comments(path.read_text()))]


def root():
    return Path(__file__).resolve().parent.parent.parent
