"""The signatures are those of the headers, and the library that is loaded fits them."""
import ctypes
import importlib.util
import inspect
import os
import re
import subprocess
import sys

import pytest
from conftest import compile_c

import spectune
from spectune import _abi, _load


def generator(root):
    spec = importlib.util.spec_from_file_location("generate", root / "bindings/python/generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_signatures_are_those_of_the_headers(root, tmp_path):
    generate = generator(root)
    assert generate.main([str(root / "include"), str(tmp_path / "abi.py")]) == 0
    with open(_abi.__file__) as f:
        assert (tmp_path / "abi.py").read_text() == f.read(), "the package was built beside other headers; build it again"


def test_generator_stops_at_what_it_does_not_know(root, tmp_path):
    generate = generator(root)
    for wrong in ("typedef union { int a; } spt_union;", "SPT_API int32_t spt_x(long n);", "SPT_API spt_matrix spt_y(void);"):
        with pytest.raises(generate.Unknown):
            generate.render(generate.Header((root / "include/spectune/base.h").read_text() + wrong))


def test_every_handle_can_be_freed():
    for handle in _abi.HANDLES:
        if handle != "spt_trials":  # lent to a host's sampler during its call
            assert _abi.FUNCTIONS[handle + "_free"] == (None, (ctypes.c_void_p,))


def test_the_compiler_agrees(root, tmp_path):
    """Sizes and offsets of all records, values of all constants."""
    h = generator(root).Header(generator(root).read_headers(root / "include"))
    lines, expected = [], []
    for kind in _abi.RECORDS:
        lines.append(f'printf("%zu\\n", sizeof({kind.__name__}));')
        expected.append(ctypes.sizeof(kind))
        for field, *_ in kind._fields_:
            lines.append(f'printf("%zu\\n", offsetof({kind.__name__}, {field}));')
            expected.append(getattr(kind, field).offset)
    for constants in h.enums.values():
        for name, value in constants:
            lines.append(f'printf("%d\\n", (int){name});')
            expected.append(value)
    source = tmp_path / "sizes.c"
    source.write_text("#include <spectune.h>\n#include <stddef.h>\n#include <stdio.h>\nint main(void)\n{\n"
                      + "\n".join(lines) + "\nreturn 0;\n}\n")
    compile_c(source, tmp_path / "sizes", f"-I{root / 'include'}")
    told = subprocess.run([str(tmp_path / "sizes")], capture_output=True, text=True, check=True).stdout.split()
    assert [int(t) for t in told] == expected


def test_status_numbers_have_exceptions():
    for status in spectune.Status:
        if status < 0:
            error = spectune._errors.error_of(status, "")
            assert type(error) is not spectune.SpectuneError and error.status == status and str(error)
    assert type(spectune._errors.error_of(-55, "")) is spectune.SpectuneError


def test_versions():
    assert _load.check_version((0, 1, 0), (0, 1, 0)) is None
    assert _load.check_version((0, 2, 0), (0, 1, 0)) is None
    assert _load.check_version((0, 1, 0), (0, 1, 7)) is None
    assert "older" in _load.check_version((0, 1, 9), (0, 2, 0))
    assert "major" in _load.check_version((1, 1, 0), (0, 1, 0))


def load(path):
    """What a fresh interpreter says to a library."""
    # In another folder, so that a package in the current one does not hide the installed one.
    out = subprocess.run([sys.executable, "-c", "import spectune; print(spectune.library())"], capture_output=True, text=True,
                         env=dict(os.environ, SPECTUNE_LIBRARY=str(path)))
    return out.returncode, out.stdout + out.stderr


@pytest.mark.parametrize("version, why", [("1.0.0", "another major version than 0"), ("0.0.9", "older than 0.1"),
                                          ("0.1.5", "lacks spt_status_name")])
def test_other_libraries_are_refused(tmp_path, version, why):
    source = tmp_path / "lib.c"
    source.write_text(f'const char *spt_version(void) {{ return "{version}"; }}\n')
    compile_c(source, tmp_path / "libother.so", "-shared", "-fPIC")
    code, text = load(tmp_path / "libother.so")
    assert code == 1 and why in text and version in text and "libother.so" in text and "0.1.0" in text


def test_what_is_no_library_is_told(tmp_path):
    code, text = load(tmp_path / "nowhere.so")
    assert code == 1 and "nowhere.so" in text and "not found" in text
    source = tmp_path / "lib.c"
    source.write_text("int something_else(void) { return 1; }\n")
    compile_c(source, tmp_path / "libelse.so", "-shared", "-fPIC")
    code, text = load(tmp_path / "libelse.so")
    assert code == 1 and "is not libspectune" in text


def test_what_was_found_is_told():
    found = spectune.library()
    assert found.version == spectune.__version__ and os.path.exists(found.path)
    assert found.version in repr(found) and found.path in repr(found) and found.origin in repr(found)
    assert spectune.load_library(found.path) is found
    with pytest.raises(spectune.LibraryError, match="in use already"):
        spectune.load_library("/another/library.so")


def test_import_takes_nothing_that_is_not_needed():
    code = ("import sys, spectune; print([m for m in ('sklearn', 'pandas', 'matplotlib', 'scipy') if m in sys.modules]); "
            "print(spectune._load._loaded)")
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.split() == ["[]", "None"]


def test_fields_of_records_are_all_there():
    """What the classes name one by one is what the records have."""
    def fields(kind):
        return [n for n, *_ in kind._fields_ if n not in ("struct_size", "reserved")]
    assert list(spectune.Statistics._fields) == fields(_abi.spt_statistics)
    assert list(spectune.Epoch._fields) == fields(_abi.spt_epoch)
    assert sorted(spectune.Event._fields) == sorted(n.replace("config", "params") for n in fields(_abi.spt_event))
    assert list(spectune.TrainingReport._fields[:-1]) == fields(_abi.spt_training_report)
    assert list(spectune.Importance._fields) == fields(_abi.spt_importance)[1:]
    assert list(spectune.Column._fields) == [fields(_abi.spt_column_info)[i] for i in (1, 0, 2, 3, 4, 5, 6)]


def test_every_function_of_the_library_is_used():
    """What Python does not reach is listed here with the reason."""
    unused = {
        "spt_cv_objective": "an spt_cv is an objective of a study already",
        "spt_status_name": "Status has the names", "spt_status_text": "STATUS_TEXT has the texts",
        "spt_trial_state_name": "TrialState has the names", "spt_channel_name": "Channel has the names",
        "spt_ctx_stopping": "asked by nobody", "spt_config_text": "values are read as numbers and choices", "spt_options_number": "options are written once, from a mapping",
        "spt_options_text": "options are written once, from a mapping",
        "spt_training_options_configure": "done by Model.fit() and CrossValidation",
    }
    folder = os.path.dirname(spectune.__file__)
    text = "".join(open(os.path.join(folder, f)).read() for f in os.listdir(folder) if f.endswith(".py") and f != "_abi.py")
    missing = {f for f in _abi.FUNCTIONS if not re.search(rf"\b{f}\b", text)}
    assert missing == set(unused)


def test_everything_public_has_hints_and_a_docstring():
    bare = []
    for name in spectune.__all__:
        thing = getattr(spectune, name)
        for where, f in [(name, thing)] + [(f"{name}.{n}", m) for n, m in vars(thing).items() if inspect.isclass(thing)
                                           and not n.startswith("_")]:
            f = getattr(f, "__func__", getattr(f, "fget", f))
            if inspect.isclass(f) and not f.__doc__:
                bare.append(where)
            if inspect.isfunction(f) and f.__module__.startswith("spectune") and not f.__name__.startswith("_"):
                if "return" not in f.__annotations__ or not f.__doc__:
                    bare.append(where)
    assert not bare
