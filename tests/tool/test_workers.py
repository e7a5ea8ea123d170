#!/usr/bin/env python3
"""Many workers on one study, in a file and on a server: nothing lost, nothing doubled, whoever dies.

usage: test_workers.py TOOL SOURCE-FOLDER
       test_workers.py TOOL SOURCE-FOLDER postgres     exit code 77 (skipped) where no server is installed"""
import contextlib
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time

TOOL, SOURCE = os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2]).resolve()
ON_SERVER = sys.argv[3:] == ["postgres"]
if ON_SERVER:
    sys.path.insert(0, str(SOURCE / "tests/postgres"))
    import server as postgres
    if postgres.binaries() is None:
        print("skipped: no PostgreSQL server is installed (Debian: postgresql)")
        sys.exit(77)
passed, failed = 0, 0


def check(what, good, detail=""):
    global passed, failed
    passed, failed = passed + bool(good), failed + (not good)
    print("ok  " if good else "FAIL", what, "" if good else detail, flush=True)


SPACE = """<?xml version="1.0"?>
<space name="quick" format="1">
  <int name="batch_size" low="64" high="256" log="true" default="128"/>
  <int name="conv_blocks" low="0" high="0" default="0"/>
  <int name="fc_blocks" low="0" high="1" default="0"/>
  <int name="fc_1_units" low="1" high="8" default="4"><when parameter="fc_blocks" op="eq" value="1"/></int>
  <float name="learning_rate" low="0.0001" high="0.1" log="true" default="0.001"/>
</space>
"""


class Place:
    """A study to work on."""

    def __init__(self, folder, url, name):
        self.folder, self.url, self.name = folder, url, name
        (folder / "quick.xml").write_text(SPACE, encoding="utf-8")

    def command(self, trials, *more, data=None):
        return [TOOL, "tune", str(data or SOURCE / "examples/data/tecator.csv"), "--target", "fat", "--unit", "absorbance", "--folds", "2",
                "--decimate", "20", "--set", "epochs=1", "--space", str(self.folder / "quick.xml"), "--quiet", "--confirm", "0", "--threads", "1",
                "--study", self.url, "--name", self.name, "--trials", str(trials), *map(str, more)]

    def start(self, trials, *more, **how):
        return subprocess.Popen(self.command(trials, *more, **how), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8")

    def run(self, trials, *more, **how):
        p = self.start(trials, *more, **how)
        out, err = p.communicate(timeout=300)
        return p.returncode, out, err

    def trials(self):
        out = subprocess.run([TOOL, "trials", self.url, "--name", self.name, "--json"], capture_output=True, text=True, encoding="utf-8", check=True)
        return json.loads(out.stdout)["trials"]


def states(trials):
    return {s: sum(t["state"] == s for t in trials) for s in ("complete", "failed", "running", "waiting", "pruned")}


def dense(trials):
    return [t["number"] for t in trials] == list(range(len(trials)))


def eight_workers(place):
    workers = [place.start(800) for _ in range(8)]
    ends = [(p.wait(300), p.communicate()[1]) for p in workers]
    check("8 workers end well", all(code == 0 for code, _ in ends), str([e for e in ends if e[0] != 0]))
    trials = place.trials()
    check("800 complete trials, none else", states(trials)["complete"] == 800 and len(trials) == 800, str(states(trials)))
    check("numbered 0 to 799", dense(trials))
    sequences = sorted(t["attributes"]["sequence"] for t in trials)
    check("each has its own place in the sequence", sequences == list(range(800)))
    check("trials that ran elsewhere were seen", any(t["attributes"].get("pending") for t in trials))


def killed_workers(place):
    """100 workers are killed at random moments, each followed by a new one."""
    rng, kills, told = random.Random(7), 0, set()
    workers = [place.start(800, "--retries", 1) for _ in range(8)]
    while kills < 100:
        time.sleep(rng.uniform(0.0, 0.04))
        k = rng.randrange(8)
        if workers[k].poll() is None:
            workers[k].kill()
            kills += 1
        workers[k].communicate()
        if kills % 25 == 0:
            told |= {t["number"] for t in place.trials() if t["state"] == "complete"}
        workers[k] = place.start(800, "--retries", 1)
    ends = [(p.wait(300), p.communicate()[1]) for p in workers]
    check("after 100 kills the last 8 workers end well", all(code == 0 for code, _ in ends), str([e for e in ends if e[0] != 0]))
    trials = place.trials()
    n = states(trials)
    check("800 complete trials", n["complete"] == 800, str(n))
    check("nothing is left running", n["running"] == 0, str(n))
    check("the others were left by the dead", all(t["attributes"]["reason"] == "abandoned" for t in trials if t["state"] == "failed"))
    check("some were", n["failed"] > 0, str(n))
    check("dense from 0", dense(trials))
    check("what was finished stays", told <= {t["number"] for t in trials if t["state"] == "complete"})
    lost = {t["attributes"]["queue"] for t in trials if t["state"] == "failed"}
    again = {t["attributes"].get("queue") for t in trials if t["state"] == "complete" or "refused" in t["attributes"]}
    check("what the dead left was tried once more", lost and lost <= again, f"{sorted(lost - again)[:5]} of {len(lost)}")


def refusals(place):
    place.run(4)
    table = place.folder / "other.csv"
    text = (SOURCE / "examples/data/tecator.csv").read_text(encoding="utf-8")
    lines = text.split("\n")
    lines[5] = lines[5].rsplit(",", 1)[0] + ",2.5"
    table.write_text("\n".join(lines), encoding="utf-8")
    for what, more, how in (("other folds", ["--folds", 3], {}), ("another target", ["--target", "protein"], {}),
                            ("another objective", ["--set", "scale=band"], {}), ("other data", [], {"data": table})):
        code, _, err = place.run(8, *more, **how)
        check(f"a worker with {what} is refused in one line", code == 1 and len(err.strip().split("\n")) == 1, f"{code} {err}")
    check("the study is as it was", states(place.trials())["complete"] == 4)


def the_last_trials(place):
    """A worker waits for the last trials of others, which may die over them."""
    slow = ["--set", "epochs=1000000", "--set", "patience=0", "--decimate", 1]
    first = place.start(1, *slow)
    while not place_has_running(place):
        time.sleep(0.05)
    code, _, _ = place.run(1, *slow, "--no-linger")
    check("with --no-linger a worker leaves", code == 0 and states(place.trials())["running"] == 1)
    second = place.start(1, *slow)
    time.sleep(0.7)
    check("else it waits", second.poll() is None and len(place.trials()) == 1)
    first.kill()
    first.communicate()
    for _ in range(200):
        if states(place.trials())["running"] == 1 and len(place.trials()) == 2:
            break
        time.sleep(0.05)
    check("and takes over when the other dies", [t["state"] for t in place.trials()] == ["failed", "running"],
          str([(t["state"], t["attributes"].get("reason")) for t in place.trials()]))
    second.send_signal(signal.SIGTERM)
    out, err = second.communicate(timeout=60)
    trials = place.trials()
    check("SIGTERM ends a worker as Ctrl-C does", second.returncode == 1 and trials[1]["attributes"]["reason"] == "stopped", f"{second.returncode} {err}")


def place_has_running(place):
    done = subprocess.run([TOOL, "trials", place.url, "--name", place.name, "--json"], capture_output=True, text=True, encoding="utf-8")
    return done.returncode == 0 and states(json.loads(done.stdout)["trials"])["running"] > 0


def restarts(place, server):
    """The server goes away and comes back while three workers are at it, twice: ended orderly, and as if it had crashed."""
    workers = [place.start(1500) for _ in range(3)]
    for how in (signal.SIGINT, signal.SIGQUIT):
        before = len(place.trials()) if place_has_running(place) else 0
        while not place_has_running(place) or len(place.trials()) < before + 100:
            time.sleep(0.05)
        server.stop(how)
        time.sleep(0.5)
        check("the workers wait for the server", all(p.poll() is None for p in workers))
        server.start()
    ends = [(p.wait(300), p.communicate()[1]) for p in workers]
    check("and go on", all(code == 0 for code, _ in ends), str(ends))
    check("they say so", all("connection is lost" in err for _, err in ends), str(ends))
    trials = place.trials()
    check("nothing is lost or doubled", states(trials)["complete"] == 1500 and dense(trials), str(states(trials)))
    check("and nothing failed", len(trials) == 1500, str(states(trials)))


def main():
    with tempfile.TemporaryDirectory(prefix="spectune wörkers ") as folder, contextlib.ExitStack() as stack:
        folder = pathlib.Path(folder)
        if ON_SERVER:
            server = stack.enter_context(postgres.Server())
        for k, test in enumerate((eight_workers, killed_workers, refusals, the_last_trials)):
            print(f"-- {test.__name__} on {'a server' if ON_SERVER else 'a file'}", flush=True)
            began = time.time()
            test(Place(folder, server.url if ON_SERVER else str(folder / f"{k}.db"), f"study {k} ä"))
            print(f"   {time.time() - began:.1f} s", flush=True)
        if ON_SERVER:
            restarts(Place(folder, server.url, "restarts"), server)
    print(f"{passed} passed, {failed} failed")
    return failed != 0


sys.exit(main())
