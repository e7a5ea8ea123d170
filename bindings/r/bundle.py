#!/usr/bin/env python3
"""Put into a copy of the R package what comes from the rest of the tree: bundle.py TREE PACKAGE

- src/spectune: the library's sources, and what meson would have generated
- src/callables.h, inst/include: every function of the public headers, for other packages (R_GetCCallable)
- inst/extdata: the example data; tests/testthat: a spectrum of the library's own tests
"""
import pathlib
import re
import shutil
import subprocess
import sys

tree, package = map(pathlib.Path, sys.argv[1:3])
into = package / "src" / "spectune"

# What the files of a set start with: see "kernel_flags" in meson.build. GCC switches instruction sets in the file.
SETS = {
    "portable": "",
    "avx2": "avx2,fma",
    "avx512": "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma,prefer-vector-width=512",
}


def library():
    version = re.search(r"^  version: '([^']+)'", (tree / "meson.build").read_text(), re.M).group(1)
    described = re.search(r"^Version: (.*)$", (package / "DESCRIPTION").read_text(), re.M).group(1)
    if version != described:
        sys.exit(f"bindings/r/DESCRIPTION has version {described}, meson.build {version}")
    shutil.copytree(tree / "include", into / "include")
    shutil.copytree(tree / "lib", into / "lib", ignore=shutil.ignore_patterns("meson.build", "*.py", "*.map"))
    # R takes pragmas for an attempt to hide something; this one silences a note of clang where it has no vector units.
    lanes = into / "lib/nn/kernels/lanes.h"
    lanes.write_text(re.sub(r"/\*[^*]*\*/\n#pragma clang diagnostic.*\n", "", lanes.read_text()))
    (into / "version").write_text(version + "\n")
    sources = []
    for path in sorted((into / "lib").rglob("*.c")):
        name = path.relative_to(into).as_posix()
        if "/kernels/" not in name and not name.endswith(("/db_postgres.c", "/no_postgres.c")):
            sources.append(name)
    schemas = "lib/space/space_schemas.c"
    subprocess.run([sys.executable, tree / "lib/space/embed.py", into / schemas,
                    *(f"spt__schema_{n}={tree}/doc/schemas/{n}.rng" for n in ("space", "config"))], check=True)
    (into / "sources").write_text("\n".join(sources + [schemas]) + "\n")


def kernels():
    files = sorted(p.stem for p in (into / "lib/nn/kernels").glob("*.c"))
    folder = into / "kernels"
    folder.mkdir()
    (folder / "list").write_text("\n".join(files) + "\n")
    for name, target in SETS.items():
        switch = f'#pragma GCC target("{target}")\n' if target else ""
        (folder / f"{name}.h").write_text(f"/* Written by bundle.py. */\n{switch}")
        for file in files:
            (folder / f"{name}_{file}.c").write_text(
                f'/* Written by bundle.py. */\n#include "{name}.h"\n#define SPT__KERNELS {name}\n'
                f'#include "../lib/nn/kernels/{file}.c"\n')


def callables():
    names = []
    for header in sorted((tree / "include/spectune").glob("*.h")):
        if header.name == "experimental.h":
            continue
        text = re.sub(r"/\*.*?\*/", "", header.read_text(), flags=re.S)
        names += re.findall(r"^SPT_API\s[^;]*?\b(spt_\w+)\(", text, re.M)
    rows = " \\\n".join(f"    X({n})" for n in names)
    (package / "src/callables.h").write_text(f"/* Written by bundle.py. */\n#define CALLABLES(X) \\\n{rows}\n")
    include = package / "inst/include"
    include.mkdir(parents=True, exist_ok=True)
    shutil.copytree(tree / "include", include, dirs_exist_ok=True)
    lines = [
        "/* For packages with LinkingTo: spectune. Written by bundle.py.",
        " *",
        " * Include this file in place of <spectune.h> and call the library as its headers say. The functions are looked up",
        " * in the package spectune, which must be loaded (Imports: spectune) before the first call; do not make the first",
        " * call of a function from another thread than R's. Compilers: GCC, clang. */",
        "#ifndef SPECTUNE_R_H",
        "#define SPECTUNE_R_H",
        "",
        "#include <R_ext/Rdynload.h>",
        "#include <spectune.h>",
        "",
        "#define SPECTUNE_R_LOOK_UP(name) \\",
        "    __attribute__((unused)) static __typeof__(&name) spectune_r_##name(void) \\",
        "    { \\",
        "        static DL_FUNC found; \\",
        '        if (!found) found = R_GetCCallable("spectune", #name); \\',
        "        return (__typeof__(&name))found; \\",
        "    }",
        "",
        *(f"SPECTUNE_R_LOOK_UP({n})" for n in names),
        "",
        *(f"#define {n} (spectune_r_{n}())" for n in names),
        "",
        "#endif",
    ]
    (include / "spectune_r.h").write_text("\n".join(lines) + "\n")
    return names


library()
kernels()
callables()
(package / "inst/extdata").mkdir(parents=True, exist_ok=True)
shutil.copy(tree / "examples/data/tecator.csv", package / "inst/extdata")
shutil.copy(tree / "examples/data/README.md", package / "inst/extdata/tecator.md")
row = re.findall(r"\b0\.\d+", (tree / "tests/unit/prep/nirsoil_row.h").read_text().split("{", 1)[1])
(package / "tests/testthat/nirsoil_row.csv").write_text("\n".join(row) + "\n")
