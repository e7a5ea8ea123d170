#!/usr/bin/env python3
"""The tool as a user meets it: every command on the spectra that ship, every mistake of the list.

usage: test_tool.py TOOL SOURCE-FOLDER        prints "N passed, N failed" at the end
A mistake must end with exit code 1 or 2, one line on standard error that names what was wrong, and
nothing left behind."""
import csv
import json
import os
import pathlib
import random
import re
import resource
import signal
import subprocess
import time

from trying import SOURCE, TECATOR, TINY, TOOL, WORK, check, done, end, mistake, run, write

QUICK = ["--folds", "2", "--set", "epochs=3", "--space", "tiny.xml", "--quiet"]


def tune(file, *args, target="fat", unit="absorbance"):
    return ["tune", file, "--target", target, "--unit", unit, *QUICK, *args]


# ---- the main job -----------------------------------------------------------------------------

def table(rows, header=None, bands=range(1000, 1040, 2)):
    header = header or ["id", "y"] + [str(b) for b in bands]
    return "\n".join(",".join(map(str, r)) for r in [header, *rows]) + "\n"


def good_rows(n=12, seed=1):
    r = random.Random(seed)
    return [[f"s{i}", round(r.random() * 10, 2)] + [round(0.3 + 0.2 * r.random(), 4) for _ in range(20)] for i in range(n)]


def help_and_manual():
    man = (SOURCE / "doc/spectune.1").read_text(encoding="utf-8").replace("\\-", "-")
    sections = re.split(r"^\.S[SH] ", man, flags=re.M)
    p = done("--help", "--help", out="Commands:")
    commands = re.findall(r"^  (\w+) ", p.stdout, flags=re.M)
    check("thirteen commands", len(commands) == 13, str(commands))
    done("--version", "--version", out=r"spectune \d+\.\d+\.\d+")
    for c in commands:
        p = done(f"{c} --help", c, "--help", out="usage: spectune " + c)
        options = set(re.findall(r"^  --([a-z-]+)", p.stdout, flags=re.M))
        page = next((s for s in sections if s.startswith(c + " ")), "")
        shared = "".join(s for s in sections if s.startswith("Options"))
        missing = [o for o in options if f"--{o}" not in page and f"--{o}" not in shared]
        check(f"{c}: the manual has every option", bool(page) and not missing, str(missing))
        strange = [o for o in re.findall(r"--([a-z][a-z-]+)", page) if o not in options]
        check(f"{c}: every option of the manual exists", not strange, str(strange))
    mistake("no command", "command is missing")
    mistake("unknown command", "no command 'tun'", "tun")


def looking():
    p = done("data --json", "data", TECATOR, "--json")
    d = json.loads(p.stdout)
    check("data understood", d["samples"] == 215 and d["bands"] == 100 and d["axis_unit"] == "nm" and d["axis_even"])
    done("data", "data", TECATOR, out=r"samples +215")
    for preset in ("small", "shen2021", "cnn1d"):
        done(f"space {preset}", "space", preset, out="conv_1_filters")
        json.loads(done(f"space {preset} --json", "space", preset, "--json").stdout)
    done("space --output", "space", "small", "--output", "small copy.xml")
    a = run("space", "small", "--xml").stdout
    b = run("space", "small copy.xml", "--xml").stdout
    check("a space survives its file", a == b and a.startswith("<?xml"))
    write("tiny.xml", TINY)
    done("space FILE", "space", "./tiny.xml", out="fc_1_units")


def main_job():
    done("tune", *tune(TECATOR, "--trials", 3, "--test", "split=T", "--study", "söil 1.db", "--model", "fat 1.xml"),
         out="3 trials; best is trial")
    p = done("tune goes on", *tune(TECATOR, "--trials", 5, "--test", "split=T", "--study", "söil 1.db", "--json"))
    check("five trials", json.loads(p.stdout)["finished"] == 5)
    done("trials", "trials", "söil 1.db", out="complete")
    d = json.loads(done("trials --json", "trials", "söil 1.db", "--json").stdout)
    check("records", d["records"]["target"] == "fat" and len(d["trials"]) == 5)
    check("folds are kept", all(len(t["folds"]) == 2 for t in d["trials"]))
    p = done("trials --predictions", "trials", "söil 1.db", "--predictions", 2)
    rows = list(csv.DictReader(p.stdout.splitlines()))
    check("a prediction for each sample used", len(rows) == 172 and rows[0]["id"] == "meat001" and {r["fold"] for r in rows} == {"0", "1"})
    with open(TECATOR, newline="", encoding="utf-8") as f:
        fat = {r["id"]: float(r["fat"]) for r in csv.DictReader(f)}
    rmse = (sum((fat[r["id"]] - float(r["fat"])) ** 2 for r in rows) / len(rows)) ** 0.5
    told = d["trials"][2]["attributes"]["rmse"]
    check("they give the RMSE on record", abs(rmse - told) < 1e-5 * told, f"{rmse} {told}")
    done("best", "best", "söil 1.db", "--config", "best.xml", out="RMSE")
    json.loads(done("best --json", "best", "söil 1.db", "--json").stdout)
    importance()
    done("fit --study", "fit", TECATOR, "--study", "söil 1.db", "--trial", 1, "--seeds", 2, "--model", "simple.xml", "--quiet",
         out="s.d. over 2 seeds")
    p = done("fit --config", "fit", TECATOR, "--config", "best.xml", "--space", "tiny.xml", "--target", "fat", "--unit", "absorbance",
             "--test", "split=T", "--set", "epochs=3", "--quiet", "--json")
    check("fit --config has an error", json.loads(p.stdout)["rmse_test"]["mean"] > 0)
    done("predict", "predict", "fat 1.xml", TECATOR, "--output", "fat 1.csv")
    rows = list(csv.DictReader((WORK / "fat 1.csv").open(encoding="utf-8")))
    check("predictions", len(rows) == 215 and all(r["reason"] == "" and float(r["fat"]) == float(r["fat"]) for r in rows))
    p = done("predict --json", "predict", "fat 1.xml", TECATOR, "--json")
    check("the same in JSON", [x["value"] for x in json.loads(p.stdout)["predictions"]] == [float(r["fat"]) for r in rows])
    p = done("evaluate", "evaluate", "fat 1.xml", TECATOR, "--test", "split=T", "--json")
    s = json.loads(p.stdout)
    t = [(fat[r["id"]], float(r["fat"])) for r in rows][172:]
    check("evaluate's RMSEP", abs(s["rmsep"] - (sum((a - b) ** 2 for a, b in t) / 43) ** 0.5) < 1e-12 and s["n"] == 43)
    done("evaluate --max-rmsep, good enough", "evaluate", "fat 1.xml", TECATOR, "--max-rmsep", 1000)
    done("evaluate --max-rmsep, too bad", "evaluate", "fat 1.xml", TECATOR, "--max-rmsep", 0.001, code=1)


def trying_again():
    again = done("tune and try again", *tune(TECATOR, "--trials", 4, "--confirm", "2:2", "--study", "again.db", "--model", "again.xml", "--json"))
    told = json.loads(again.stdout)
    check("four repetitions beyond the trials", told["finished"] == 8 and told["repetitions"] == 2)
    check("the mean of the repetitions is in the model", f'<note key="rmsecv_repeated">{told["rmse_repeated"]!r}</note>' in (WORK / "again.xml").read_text(encoding="utf-8"))
    done("what was tried again", "trials", "again.db", out=f"trial {told['best_trial']} again")
    done("the confirmed one is the best", "best", "again.db", out="tried again")
    mistake("a wrong number to confirm", "--confirm is '3:x'", *tune(TECATOR, "--trials", 4, "--confirm", "3:x"))


def importance():
    """Every form of the answer, none wider than a terminal."""
    study = "many.db"
    done("importance of five trials", "importance", "söil 1.db", out="fc_1_units")
    done("tune for importance", *tune(TECATOR, "--trials", 30, "--confirm", 0, "--study", study))
    done("importance", "importance", study, out="fc_1_units")
    p = done("importance, everything", "importance", study, "--pairs", "--local", "--ped", "--all", "--curves", "fc_1_activation",
             "--top-quantile", 0.8, out="(?s)and .*LPI.*PED-ANOVA.*relu")
    wide = [line for line in p.stdout.splitlines() if len(line) > 80 or line != line.rstrip()]
    check("importance fits a terminal", not wide, str(wide))
    done("a surface", "importance", study, "--curves", "fc_1_units,fc_1_activation", out="down.*across")
    d = json.loads(done("importance --json", "importance", study, "--json", "--local", "--ped", "--curves", "fc_1_units,conv_blocks").stdout)
    names = {q["name"] for q in d["parameters"]}
    check("all parameters", names == {"conv_blocks", "fc_blocks", "fc_1_units", "fc_1_activation"}, str(names))
    shares = sum(q["share"] for q in d["parameters"])
    check("shares and residuals sum to 1", abs(shares + d["residual"] - 1) < 1e-9 and
          abs(sum(q["share"] for q in d["pairs"]) + d["residual_beyond_pairs"] - d["residual"]) < 1e-9)
    check("method and prior are named", d["method"] == "fANOVA" and d["prior"] == "space" and d["trials"] == 30)
    check("local shares sum to 1, or nothing varies", abs(sum(d["local"].values()) - 1) < 1e-6 or d["variance"] == 0, str(d["local"]))
    a, b = d["curves"]["parameters"]
    check("curves", a["x"] == list(range(2, 9)) and len(a["mean"]) == len(a["sd"]) == 7 and abs(sum(a["weight"]) - 1) < 1e-9)
    check("trials beside them", [q["number"] for q in a["trials"]] == list(range(30)) and len(b["trials"]) == 30)
    check("a surface in JSON", len(d["curves"]["surface_mean"]) == 7 and all(len(row) == 2 for row in d["curves"]["surface_sd"]))
    same = [run("importance", study, "--json", "--threads", t).stdout for t in (1, 2)]
    check("importance on any number of threads", same[0] == same[1])
    check("another seed", run("importance", study, "--json", "--seed", 2).stdout != same[0] or d["variance"] == 0)
    mistake("importance of a parameter that is none", "'fc_9'.*no parameter|no parameter 'fc_9'", "importance", study, "--curves", "fc_9")
    mistake("a curve of three", "or two", "importance", study, "--curves", "fc_1_units,fc_blocks,conv_blocks")
    mistake("a quantile of nothing", "--top-quantile.*0", "importance", study, "--top-quantile", 0)
    mistake("an unknown prior", "--prior.*auto", "importance", study, "--prior", "posterior")


def trials(file):
    return json.loads(run("trials", file, "--json").stdout)["trials"]


def searching():
    """What can be said of the search itself: pruning, trials in flight, what is tried first, when it ends."""
    args = [TECATOR, "--target", "fat", "--unit", "absorbance", "--folds", "5", "--set", "epochs=3", "--space", "tiny.xml", "--quiet"]
    rule = ["--prune", "racing", "--set", "prune_startup=2", "--set", "prune_level=0.3", "--sampler", "random"]
    p = done("tune --prune", "tune", *args, *rule, "--trials", 12, "--study", "prune.db", out=r"12 trials \(\d+ pruned\); best is")
    t = trials("prune.db")
    pruned = [x for x in t if x["state"] == "pruned"]
    check("pruned trials keep what they have", pruned and all(1 <= len(x["folds"]) < 5 and x["attributes"]["reason"].startswith("racing: p = ")
          and len(str(x["attributes"]["fold_epochs"]).split()) == len(x["folds"]) and abs(x["value"] - sum(x["folds"]) / len(x["folds"])) < 1e-12
          for x in pruned), str(pruned[:1]))
    done("trials shows why", "trials", "prune.db", out=r"pruned .*racing: p = 0\.\d+ after \d of 5 folds")
    done("fit knows no pruning, and takes no offence", "fit", TECATOR, "--study", "prune.db", "--quiet", out="RMSE")
    for threads in (1, 3):
        done(f"tune --in-flight, {threads} threads", "tune", *args, *rule, "--trials", 9, "--in-flight", 3, "--threads", threads, "--study", f"f{threads}.db")
    check("trials in flight do not depend on threads", [(x["value"], x["config"], x["state"]) for x in trials("f1.db")] ==
          [(x["value"], x["config"], x["state"]) for x in trials("f3.db")])
    done("tune --no-wait", "tune", *args, "--trials", 6, "--in-flight", 3, "--no-wait", "--study", "w1.db", out="6 trials")
    check("what was seen is on record", all("saw" in x["attributes"] for x in trials("w1.db")[1:3]))
    done("tune --enqueue", "tune", *args, "--trials", 3, "--enqueue", "fc_1_units=7,conv_blocks=0", "--enqueue", "best.xml", "--study", "queue.db")
    t = trials("queue.db")
    check("what was enqueued comes first", len(t) == 3 and t[0]["config"]["fc_1_units"] == 7 and t[0]["config"]["conv_blocks"] == 0 and
          t[1]["config"] == json.loads(run("best", "söil 1.db", "--json").stdout)["config"], str(t[:2]))
    done("and only once", "tune", *args, "--trials", 3, "--enqueue", "conv_blocks=0,fc_1_units=7", "--study", "queue.db")
    check("three trials", len(trials("queue.db")) == 3)
    done("tune --warm-start", "tune", *args, "--trials", 2, "--warm-start", "prune.db:1", "--study", "warm.db")
    check("the best of the other study comes first", trials("warm.db")[0]["config"] == json.loads(run("best", "prune.db", "--json").stdout)["config"])
    p = done("tune --stop-at", "tune", *args, "--trials", 500, "--stop-at", 1000, "--json")
    check("one trial is enough", json.loads(p.stdout)["finished"] == 1 and json.loads(p.stdout)["ended"] == "SPT_STOP_TARGET")
    p = done("tune --patience-trials", "tune", *args, "--trials", 500, "--patience-trials", 4, "--json")
    check("it ends without improvement", json.loads(p.stdout)["ended"] == "SPT_STOP_PLATEAU" and json.loads(p.stdout)["finished"] < 500)
    done("tune --trial-time", "tune", *args[:-5], "--set", "epochs=100000", "--set", "patience=0", "--space", "tiny.xml", "--quiet", "--trials", 1,
         "--trial-time", 0.05, "--study", "slow.db", out="1 trials, none complete")
    check("a timeout is a reason", trials("slow.db")[0]["attributes"]["reason"] == "timeout: a trial may take 0.05 s")
    done("tune --duplicates", "tune", *args, "--trials", 20, "--duplicates", "never", "--confirm", 0, "--study", "dup.db")
    configs = [json.dumps(x["config"]) for x in trials("dup.db")]
    check("no configuration twice", len(set(configs)) == len(configs) == 20)
    mistake("unknown pruner", "racing", "tune", *args, "--prune", "rasing")
    mistake("--no-wait alone", "--in-flight", "tune", *args, "--no-wait")
    mistake("enqueue: unknown name", "fc_1_unit.*fc_1_units", "tune", *args, "--enqueue", "fc_1_unit=3", "--study", "no.db")
    mistake("enqueue: out of bounds", "fc_1_units.*99", "tune", *args, "--enqueue", "fc_1_units=99", "--study", "no.db")
    mistake("enqueue: no value", "NAME=VALUE", "tune", *args, "--enqueue", "fc_1_units=3,x", "--study", "no.db")
    mistake("enqueue: no such file", "none.xml", "tune", *args, "--enqueue", "none.xml", "--study", "no.db")
    mistake("warm start: no such study", "none.db", "tune", *args, "--warm-start", "none.db:3", "--study", "no.db")


def recipe():
    """After crop and decimation prediction needs no option; another axis is resampled only if asked."""
    done("tune with a recipe", *tune(TECATOR, "--trials", 2, "--crop", "860:1030", "--decimate", 2, "--study", "r.db", "--model", "r.xml"))
    done("ensemble", *tune(TECATOR, "--trials", 2, "--crop", "860:1030", "--decimate", 2, "--study", "r.db", "--model", "e.xml", "--ensemble"))
    done("predict without an option", "predict", "r.xml", TECATOR, "--output", "r.csv")
    done("predict with an ensemble", "predict", "e.xml", TECATOR, "--output", "e.csv")
    check("an ensemble is another model", (WORK / "r.csv").read_bytes() != (WORK / "e.csv").read_bytes())
    lines = pathlib.Path(TECATOR).read_text(encoding="utf-8").splitlines()
    cut = [",".join(l.split(",")[:5] + l.split(",")[6:]) for l in lines]  # without the first band
    write("cut.csv", "\n".join(cut) + "\n")
    mistake("another axis", "--resample", "predict", "r.xml", "cut.csv")
    mistake("resampling cannot extrapolate", "850|extrapolat|range", "predict", "r.xml", "cut.csv", "--resample")
    done("trials goes unharmed", "trials", "r.db", out="complete")
    d = run("fit", TECATOR, "--study", "r.db", "--quiet", "--model", "f.xml")
    check("fit takes the recipe from the study", d.returncode == 0 and "crop" in (WORK / "f.xml").read_text(encoding="utf-8"), d.stderr)


def weights_and_logarithms():
    rows = [r[:2] + [i % 3] + r[2:] for i, r in enumerate(good_rows(30))]
    header = ["id", "y", "w"] + [str(b) for b in range(1000, 1040, 2)]
    write("weighed.csv", table(rows, header))
    args = ["--weights", "w", "--set", "target_transform=log1p", "--set", "schedule=cosine", "--set", "clip_norm=1"]
    done("tune with weights", *tune("weighed.csv", *args, "--trials", 2, "--study", "w.db", "--model", "w.xml", target="y"))
    text = (WORK / "w.xml").read_text(encoding="utf-8")
    check("they are in the model", "weights_sha256" in text and "weights=w" in text and "<expm1/>" in text and "schedule=cosine" in text)
    done("predict with logarithms", "predict", "w.xml", "weighed.csv")
    mistake("other weights", "weights=", *tune("weighed.csv", *args[2:], "--trials", 3, "--study", "w.db", target="y"))
    done("fit takes the weights from the study", "fit", "weighed.csv", "--study", "w.db", "--quiet", "--model", "w2.xml")
    check("and the logarithms", "<expm1/>" in (WORK / "w2.xml").read_text(encoding="utf-8") and
          "weights=w" in (WORK / "w2.xml").read_text(encoding="utf-8"))
    rows[4][2] = -1
    mistake("a negative weight", "weighed2.csv.*'w' of sample 's4' is -1", *tune(write("weighed2.csv", table(rows, header)), "--weights", "w", target="y"))
    rows[4][2], rows[7][1] = 1, -1.5
    mistake("a target without logarithm", "'y' of sample 's7' is -1.5", *tune(write("weighed3.csv", table(rows, header)), "--set", "target_transform=log1p", target="y"))
    done("the first trial of cnn1d", "tune", "good.csv", "--target", "y", "--unit", "absorbance", "--space", "cnn1d", "--folds", 2, "--trials", 1,
         "--set", "patience=5", "--quiet", out="1 trials; best is trial 0")
    mistake("a schedule that is searched", "'schedule' is a parameter of the space 'cnn1d'", "tune", "good.csv", "--target", "y", "--unit",
            "absorbance", "--space", "cnn1d", "--set", "schedule=cosine")
    done("tune within a limit", *tune("weighed.csv", "--trials", 2, "--memory", "1.5M", target="y"))
    mistake("a limit too low", "the limit is 1.00 KiB", *tune("weighed.csv", "--trials", 2, "--memory", "1k", target="y"))
    mistake("a limit that is none", "--memory is '2X'", *tune("weighed.csv", "--memory", "2X", target="y"))
    mistake("unknown weights", "'v'", *tune("weighed.csv", "--weights", "v", target="y"))


def one_bad_spectrum():
    rows = good_rows(30)
    write("good.csv", table(rows))
    done("tune made-up spectra", *tune("good.csv", "--trials", 1, "--model", "g.xml", target="y"))
    rows[4][7] = "NA"
    rows[9][3] = "oops"
    write("bad.csv", table(rows))
    p = run("predict", "g.xml", "bad.csv")
    got = list(csv.DictReader(p.stdout.splitlines()))
    check("two bad spectra among thirty", p.returncode == 0 and len(got) == 30 and
          [r["id"] for r in got if r["y"] == ""] == ["s4", "s9"] and all(r["reason"] for r in got if r["y"] == ""), p.stdout[-300:] + p.stderr)
    check("they are counted", "2 of 30" in p.stderr, p.stderr)


# ---- mistakes ---------------------------------------------------------------------------------

def bad_inputs():
    rows = good_rows()
    write("ok.csv", table(rows))
    mistake("missing file", "nothing.csv", *tune("nothing.csv"))
    os.mkdir(WORK / "folder")
    mistake("directory in place of a file", "folder.*directory", *tune("folder"))
    mistake("empty file", "empty.csv", *tune(write("empty.csv", "")))
    mistake("header only", "header.csv", *tune(write("header.csv", table([])), target="y"))
    ragged = table(rows).splitlines()
    ragged[3] = ",".join(ragged[3].split(",")[:-2])
    mistake("ragged rows", "ragged.csv.*line 4", *tune(write("ragged.csv", "\n".join(ragged) + "\n"), target="y"))
    for name, value in (("text", "abc"), ("NaN", "NaN"), ("missing value", "")):
        bad = [list(r) for r in rows]
        bad[2][5] = value
        mistake(f"{name} in a spectrum", r"spoilt.csv.*line 4.*1006", *tune(write("spoilt.csv", table(bad)), target="y"))
    mistake("negative trials", "--trials.*-1", *tune("ok.csv", "--trials", "-1", target="y"))
    mistake("one fold", "--folds.*1", *tune("ok.csv", "--folds", "1", target="y"))
    mistake("unknown target", "'z'", *tune("ok.csv", target="z"))
    mistake("no target", "--target", "tune", "ok.csv", "--unit", "absorbance")
    mistake("no unit", "--unit", "tune", "ok.csv", "--target", "y")
    mistake("unknown unit", "--unit", *tune("ok.csv", target="y", unit="absorbtion"))
    nothing = [[r[0], ""] + r[2:] for r in rows]
    mistake("target all missing", "'y' is missing in all 12", *tune(write("nothing.csv", table(nothing)), target="y"))
    mistake("one sample", "one.csv.*1 of 1", *tune(write("one.csv", table(rows[:1])), target="y"))
    mistake("more folds than samples", "13.*12", *tune("ok.csv", "--folds", "13", target="y"))
    grouped = table([r + [f"g{i % 3}"] for i, r in enumerate(rows)], ["id", "y"] + [str(b) for b in range(1000, 1040, 2)] + ["g"])
    mistake("more folds than groups", "4.*groups.*3", *tune(write("groups.csv", grouped), "--group", "g", "--folds", "4", target="y"))
    zero = [list(r) for r in rows]
    zero[6][10] = 0
    mistake("reflectance of zero", r"zero.csv.*(s6|row 7|line 8).*1016", *tune(write("zero.csv", table(zero)), target="y", unit="reflectance"))
    zero[6][10] = -0.1
    mistake("reflectance below zero", r"zero.csv.*1016", *tune(write("zero.csv", table(zero)), target="y", unit="reflectance"))
    mistake("unknown option", "--trails.*--trials", *tune("ok.csv", "--trails", "3", target="y"))
    mistake("option without a value", "--trials wants a value", "tune", "ok.csv", "--trials")
    mistake("one argument too many", "too many", *tune("ok.csv", "more.csv", target="y"))
    mistake("unknown setting", "patiense.*patience", *tune("ok.csv", "--set", "patiense=3", target="y"))
    mistake("a setting that is searched", "'epochs' is a parameter of the space 'small'", "tune", "ok.csv", "--target", "y", "--unit", "absorbance", "--set", "epochs=3")
    mistake("a scaling that is searched", "'scale' is a parameter of the space 'small'", "tune", "ok.csv", "--target", "y", "--unit", "absorbance", "--set", "scale=band")
    mistake("unknown space", "'smal'.*small", *tune("ok.csv", "--space", "smal", target="y"))
    mistake("unknown space parameter", "convblocks|conv_blokcs", *tune("ok.csv", "--space", write("odd.xml", TINY.replace("conv_blocks", "conv_blokcs")), target="y"))
    uneven = table(rows, ["id", "y"] + [str(1000 + 2 * k + (k > 9)) for k in range(20)])
    mistake("derivatives on an uneven axis", "even.*resample|resample.*even", "tune", write("uneven.csv", uneven), "--target", "y", "--unit", "absorbance", "--study", "u.db")
    mistake("broken space", "broken.xml:4: ", "space", write("broken.xml", TINY.replace('low="0" high="1" default="0"/>', 'low="0"')))
    mistake("a crop without bands", "crop", *tune("ok.csv", "--crop", "2000:2500", target="y"))
    mistake("a crop that is none", "--crop.*A:B", *tune("ok.csv", "--crop", "1000", target="y"))
    mistake("--ensemble without --model", "--model", *tune("ok.csv", "--ensemble", target="y"))


def bad_files():
    mistake("a study that is none", "not a study", "trials", TECATOR)
    mistake("tune onto a study that is none", "not a study", *tune("ok.csv", "--study", write("text.db", "x" * 2000), target="y"))
    mistake("a study that is missing", "no such", "best", "missing.db")
    mistake("another target", "target is 'protein'; the study has 'fat'",
            *tune(TECATOR, "--trials", 9, "--test", "split=T", "--study", "söil 1.db", target="protein"))
    mistake("another seed", "seed=7", *tune(TECATOR, "--trials", 9, "--test", "split=T", "--study", "söil 1.db", "--seed", 7))
    mistake("other rows", "test=", *tune(TECATOR, "--trials", 9, "--study", "söil 1.db"))
    mistake("a trial that is none", "no trial 77", "fit", TECATOR, "--study", "söil 1.db", "--trial", 77)
    mistake("a study by the wrong name", "no study 'x'", "trials", "söil 1.db", "--name", "x")
    model = (WORK / "fat 1.xml").read_bytes()
    mistake("a model cut short", "cut.xml", "predict", write("cut.xml", model[:len(model) // 2]), TECATOR)
    at = model.index(b"</piece>", len(model) // 2) - 20
    other = b"A" if model[at:at + 1] != b"A" else b"B"
    mistake("a model with a wrong checksum", "checksum", "predict", write("wrong.xml", model[:at] + other + model[at + 1:]), TECATOR)
    mistake("a model that is none", "csv", "predict", TECATOR, TECATOR)
    # root may write anywhere, so a folder below a file
    mistake("an unwritable folder for a model", "ok.csv/m.xml", *tune("ok.csv", "--trials", 1, "--model", "ok.csv/m.xml", target="y"))
    mistake("an unwritable folder for a study", "ok.csv/s.db", *tune("ok.csv", "--trials", 1, "--study", "ok.csv/s.db", target="y"))
    mistake("an unwritable folder for predictions", "ok.csv/p.csv", "predict", "g.xml", "good.csv", "--output", "ok.csv/p.csv")


def full_disk():
    with open("/dev/full", "w") as full:
        p = subprocess.run([TOOL, "predict", "g.xml", "good.csv"], stdout=full, stderr=subprocess.PIPE, text=True, cwd=WORK)
    check("standard output on a full disk", p.returncode == 1 and len(p.stderr.splitlines()) == 1, p.stderr)

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200, 200))
    mistake("predictions on a full disk", "p.csv", "predict", "g.xml", "good.csv", "--output", "p.csv", preexec_fn=limit)
    mistake("a space on a full disk", "s.xml", "space", "small", "--output", "s.xml", preexec_fn=limit)
    mistake("a model on a full disk", "m.xml", *tune("good.csv", "--trials", 1, "--model", "m.xml", target="y"), preexec_fn=limit)
    p = run(*tune("good.csv", "--trials", 1, "--study", "full.db", target="y"), preexec_fn=limit)
    check("a study on a full disk", p.returncode == 1 and "disk is full" in p.stderr and len(p.stderr.splitlines()) == 1, p.stderr)
    for f in ("full.db", "full.db-journal"):
        (WORK / f).unlink(missing_ok=True)


def signals():
    long = ["tune", TECATOR, "--target", "fat", "--unit", "absorbance", "--folds", "2", "--space", "tiny.xml", "--trials", "100000",
            "--set", "epochs=30", "--study", "stop.db", "--model", "stop.xml"]
    for sig in (signal.SIGINT, signal.SIGTERM):
        p = subprocess.Popen([TOOL, *long], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=WORK)
        seen = 0
        for line in p.stderr:
            seen += "best" in line
            if seen == 3:
                break
        p.send_signal(sig)
        out, err = p.communicate(timeout=60)
        d = json.loads(run("trials", "stop.db", "--json").stdout)
        check(f"{sig.name} stops, keeps the trials, writes the model", p.returncode == 1 and d["finished"] >= 3 and
              (WORK / "stop.xml").exists() and "best is trial" in out, f"{p.returncode} {err[-300:]}")
        (WORK / "stop.xml").unlink(missing_ok=True)


def killed(tag, rounds, *extra):
    """kill -9 at random moments: nothing told is lost, going on gives what an uncut run gives."""
    args = ["tune", TECATOR, "--target", "fat", "--unit", "absorbance", "--space", "tiny.xml", "--set", "epochs=8", *extra]
    kill, whole = f"kill {tag}.db", f"whole {tag}.db"
    told, r, patience = 0, random.Random(7), 1.0
    for _ in range(rounds):
        p = subprocess.Popen([TOOL, *args, "--trials", "100000", "--study", kill], stderr=subprocess.PIPE, text=True, cwd=WORK)
        time.sleep((0.05 + 0.25 * r.random()) * patience)
        p.kill()
        _, err = p.communicate()
        told += len(re.findall(r"^trial \d+ \(", err, flags=re.M))
        if told == 0:  # a slow machine, or a sanitizer: give it time to tell something before it is killed
            patience *= 1.5
    d = json.loads(run("trials", kill, "--json").stdout)
    check(f"{tag}: killed {rounds} times, every finished trial is there", d["finished"] >= told > 0, f"{d['finished']} {told}")
    n = d["finished"] + 5
    done(f"{tag}: and the study goes on", *args, "--trials", n, "--study", kill, "--quiet")
    done(f"{tag}: the same without being killed", *args, "--trials", n, "--study", whole, "--quiet")
    def values(f):
        # what was enqueued and killed comes again under another number, at the same place
        kept = [t for t in trials(f) if t["state"] in ("complete", "pruned")]
        return [(t["value"], t["state"], t["config"]) for t in sorted(kept, key=lambda t: t["attributes"]["sequence"])]
    check(f"{tag}: both have the same trials", values(kill) == values(whole) and len(values(kill)) >= n)


def seeds_and_threads():
    args = tune(TECATOR, "--trials", 4)
    for threads in (1, 2):
        done(f"{threads} threads", *args, "--threads", threads, "--study", f"t{threads}.db", "--model", f"t{threads}.xml")
    def bare(f):
        return re.sub(r'<note key="date">[^<]*|<checksum .*', "", (WORK / f).read_text(encoding="utf-8"))
    check("the model does not depend on the threads", bare("t1.xml") == bare("t2.xml"))


try:
    help_and_manual()
    looking()
    main_job()
    trying_again()
    searching()
    recipe()
    one_bad_spectrum()
    weights_and_logarithms()
    bad_inputs()
    bad_files()
    full_disk()
    signals()
    killed("one at a time", int(os.environ.get("SPT_KILLS", "20")), "--folds", "2")
    killed("in flight", int(os.environ.get("SPT_KILLS", "20")) // 2, "--folds", "4", "--in-flight", "3", "--prune", "racing",
           "--set", "prune_level=0.3", "--enqueue", "fc_1_units=7", "--enqueue", "conv_blocks=1")
    seeds_and_threads()
finally:
    end()
