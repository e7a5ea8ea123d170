#!/usr/bin/env python3
"""Studies in and out of their files, with the tool: export, import, copy, stamp, and every mistake with them.

usage: test_stores.py TOOL SOURCE-FOLDER      prints "N passed, N failed" at the end"""
import csv
import json
import os
import resource
import signal
import subprocess

from trying import TECATOR, TINY, TOOL, WORK, check, done, end, listing, mistake, run, write

TUNE = ["tune", TECATOR, "--target", "fat", "--unit", "absorbance", "--folds", "2", "--set", "epochs=2", "--space", "tiny.xml", "--quiet"]


def text_of(name):
    return (WORK / name).read_text(encoding="utf-8")


def studies():
    write("tiny.xml", TINY)
    done("a study", *TUNE, "--trials", 4, "--study", "söil 1.db")
    done("another in the same file", *TUNE, "--trials", 2, "--study", "two.db", "--name", "äpfel, \"rot\"")
    done("and a third", *TUNE, "--trials", 1, "--study", "two.db")


def exporting():
    table = done("export", "export", "söil 1.db", out="^number,state,value,datetime_start,datetime_complete,seconds,params_").stdout
    rows = list(csv.DictReader(table.splitlines()))
    told = json.loads(run("trials", "söil 1.db", "--json").stdout)["trials"]
    check("the table holds the trials", [(int(r["number"]), float(r["value"]), r["datetime_start"], r["datetime_complete"]) for r in rows] ==
          [(t["number"], t["value"], t["started"], t["ended"]) for t in told])
    check("parameters", all(r["params_" + k] == str(v) for r, t in zip(rows, told) for k, v in t["config"].items()))
    check("folds", all([float(r["intermediate_values_0"]), float(r["intermediate_values_1"])] == t["folds"] for r, t in zip(rows, told)))
    check("attributes", all(float(r["user_attrs_rmse"]) == t["attributes"]["rmse"] for r, t in zip(rows, told)))
    done("export --output", "export", "söil 1.db", "--output", "trials ä.csv")
    check("a file holds the same", text_of("trials ä.csv") == table)
    check("- is standard output", run("export", "söil 1.db", "--output", "-").stdout == table)
    done("an export replaces one", "export", "söil 1.db", "--output", "trials ä.csv")
    with open(WORK / "appended.csv", "w", encoding="utf-8") as f:
        f.write("first\n")
        f.flush()
        subprocess.run([TOOL, "export", "söil 1.db"], stdout=f, cwd=WORK, check=True)
    check("standard output is written to, not replaced", text_of("appended.csv") == "first\n" + table)
    text = done("export --format json", "export", "söil 1.db", "--format", "json").stdout
    whole = json.loads(text)
    check("JSON has all", whole["study"] == "spectune" and whole["directions"] == ["minimize"] and "<space" in whole["space"] and
          whole["records"]["target"] == "fat" and len(whole["trials"]) == 4 and "predictions" in whole["trials"][0]["blocks"] and
          whole["trials"][0]["parameters"]["fc_1_units"]["distribution"]["name"] == "IntDistribution")
    done("the name of a file says its format", "export", "söil 1.db", "--output", "whole.json")
    check("the same text", text_of("whole.json") == text)
    done("a study by name", "export", "two.db", "--name", "äpfel, \"rot\"", out="(?s)^number.*\n1,COMPLETE")
    done("--format wins", "export", "söil 1.db", "--output", "table.json", "--format", "csv")
    check("a table", text_of("table.json") == table)


def importing():
    done("import of JSON", "import", "whole.json", "back.db")
    check("it comes back exactly", run("export", "back.db", "--format", "json").stdout == text_of("whole.json"))
    check("and so does all that is told of it", all(run(*c, "back.db", *o).stdout == run(*c, "söil 1.db", *o).stdout for c, o in (
        (["trials"], []), (["trials"], ["--predictions", "1"]), (["best"], []), (["best"], ["--json"]))))
    done("the search goes on with it", *TUNE, "--trials", 5, "--study", "back.db")
    done("as with the first one", *TUNE, "--trials", 5, "--study", "söil 1.db")
    a, b = (json.loads(run("trials", f, "--json").stdout)["trials"] for f in ("back.db", "söil 1.db"))
    check("to the same trial", a[4]["config"] == b[4]["config"] and a[4]["value"] == b[4]["value"])
    done("import under another name", "import", "whole.json", "back.db", "--name", "zweite ü")
    done("it is there", "trials", "back.db", "--name", "zweite ü", out="complete")
    done("import of a table", "import", "trials ä.csv", "tables.db", "--space", "tiny.xml")
    check("the table is the same again", run("export", "tables.db").stdout == text_of("trials ä.csv"))
    write("least.csv", "value;params_fc_1_units;params_fc_1_activation;params_conv_blocks;params_fc_blocks\n1,5;3;elu;0;1\n;4;relu;1;1\n")
    done("a table with a German comma, in the same file", "import", "least.csv", "tables.db", "--space", "tiny.xml", "--name", "least")
    t = json.loads(run("trials", "tables.db", "--name", "least", "--json").stdout)["trials"]
    check("what it says", [x["state"] for x in t] == ["complete", "failed"] and t[0]["value"] == 1.5 and
          t[0]["config"] == {"conv_blocks": 0, "fc_blocks": 1, "fc_1_units": 3, "fc_1_activation": "elu"}, str(t))
    done("a third study in it", "import", "trials ä.csv", "tables.db", "--space", "./tiny.xml", "--name", "once more")


def copying():
    done("copy", "copy", "two.db", "copied.db", "--name", "spectune")
    done("under another name", "copy", "two.db", "copied.db", "--name", "äpfel, \"rot\"", "--to-name", "apples")
    done("in the same file", "copy", "copied.db", "copied.db", "--name", "apples", "--to-name", "pears")
    a = run("export", "two.db", "--name", "äpfel, \"rot\"", "--format", "json").stdout
    b = run("export", "copied.db", "--name", "pears", "--format", "json").stdout
    check("all the same but the name", a.split("\n")[2:] == b.split("\n")[2:])
    check("predictions too", run("trials", "copied.db", "--name", "spectune", "--predictions", 0).stdout ==
          run("trials", "two.db", "--name", "spectune", "--predictions", 0).stdout != "")
    for optuna in ("3.1", "5.0", "any"):
        done(f"stamp {optuna}", "stamp", "copied.db", "--optuna", optuna)
        done("still ours", "best", "copied.db", "--name", "pears", out="RMSE")


def mistakes():
    write("broken.json", text_of("whole.json").replace('"state": "complete"', '"state": "done"'))
    write("cut.json", text_of("whole.json")[:-300])
    write("wrong.csv", "value,params_fc_1_units\n1,9\n")
    write("strange.csv", "value,params_fc_9\n1,9\n")
    mistake("a format that is none", "--format is 'xml'; csv and json", "export", "söil 1.db", "--format", "xml")
    mistake("a study that is missing", "no such study file", "export", "none.db")
    mistake("one of several", "several studies, one must be named", "export", "two.db")
    mistake("a name that is none", "has no study 'x'; it has", "export", "two.db", "--name", "x")
    mistake("an unwritable folder", "tiny.xml/t.csv: cannot be written", "export", "söil 1.db", "--output", "tiny.xml/t.csv")
    mistake("a folder for a file", "is a directory", "export", "söil 1.db", "--output", ".")
    mistake("a table without its space", "wrong.csv: a table needs --space", "import", "wrong.csv", "new.db")
    mistake("JSON with a space", "has its own space", "import", "whole.json", "new.db", "--space", "small")
    mistake("a space that is none", "smal", "import", "wrong.csv", "new.db", "--space", "smal")
    mistake("a value out of bounds", r"wrong.csv: line 2, column 2 \(params_fc_1_units\): .*9", "import", "wrong.csv", "new.db", "--space", "tiny.xml")
    mistake("a parameter that is none", r"strange.csv: line 1, column 2 \(params_fc_9\)", "import", "strange.csv", "new.db", "--space", "tiny.xml")
    mistake("a state that is none", r"broken.json: line \d+, column \d+: is no state; running", "import", "broken.json", "new.db")
    mistake("a file cut short", r"cut.json: line \d+, column \d+", "import", "cut.json", "new.db")
    mistake("a file that is missing", "none.json: cannot be read: not found", "import", "none.json", "new.db", "--space", "small")
    mistake("a study that is there already", "has a study 'spectune' already; another name is wanted", "import", "whole.json", "two.db")
    mistake("a model as a table", "line 1", "import", "tiny.xml", "new.db", "--space", "small")
    mistake("a target that is none", "not a study", "import", "whole.json", "tiny.xml")
    mistake("a copy that is there already", "has a study 'spectune' already", "copy", "two.db", "back.db", "--name", "spectune")
    mistake("a copy of nothing", "no such study file", "copy", "none.db", "new.db")
    mistake("a copy without a target", "FROM TO is wanted", "copy", "two.db")
    mistake("a stamp for nobody", "--optuna is missing", "stamp", "two.db")
    mistake("a stamp that is not known", "'2.0' is not known; 3.0 to 5.x and any", "stamp", "two.db", "--optuna", "2.0")
    mistake("a stamp on nothing", "no such study file", "stamp", "none.db", "--optuna", "any")


def full_disk():
    for form in ("csv", "json"):
        with open("/dev/full", "w") as full:
            p = subprocess.run([TOOL, "export", "söil 1.db", "--format", form], stdout=full, stderr=subprocess.PIPE, text=True, cwd=WORK)
        check(f"{form} on a full standard output", p.returncode == 1 and len(p.stderr.splitlines()) == 1, p.stderr)

    def limit(size):
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    mistake("a table on a full disk", "full.csv: cannot be written", "export", "söil 1.db", "--output", "full.csv", preexec_fn=lambda: limit(200))
    mistake("JSON on a full disk", "whole.json: cannot be written", "export", "söil 1.db", "--output", "whole.json", preexec_fn=lambda: limit(200))
    size = os.stat(WORK / "two.db").st_size
    before = run("export", "two.db", "--name", "spectune", "--format", "json").stdout
    p = run("copy", "back.db", "two.db", "--name", "spectune", "--to-name", "no room", preexec_fn=lambda: limit(size + 4096))
    check("a copy on a full disk", p.returncode == 1 and "disk is full" in p.stderr and len(p.stderr.splitlines()) == 1, p.stderr)
    check("leaves the others as they were", run("export", "two.db", "--name", "spectune", "--format", "json").stdout == before)
    mistake("and nothing of itself", "has no study 'no room'", "trials", "two.db", "--name", "no room")
    check("nothing else is left behind", not [f for f, _ in listing() if f.endswith((".tmp", "-journal"))], str(listing()))


try:
    studies()
    exporting()
    importing()
    copying()
    mistakes()
    full_disk()
finally:
    end()
