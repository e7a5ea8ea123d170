"""Samplers on functions with known minima, and on a study: what they find, and what an ask costs."""
import argparse
import math
import os
import pathlib
import statistics
import subprocess
import sys

from common import HERE, build_folder, count, fail, has, machine, peers_python, program, progress, say, table

CONTINUOUS = ("sphere", "rosenbrock", "rastrigin", "ackley", "levy", "styblinski")
FUNCTIONS = ["cnnlike", "conditional", *(f"{name}{d}" for name in CONTINUOUS for d in (10, 5))]
# Means of the best after 100 trials, 100 seeds, at our defaults.
BARS = {"cnnlike": 0.071, "conditional": 0.019, "sphere10": 6.5, "rosenbrock10": 1600}
ASK_BARS = {1000: 0.5, 10000: 5.0}


class Runs:
    """Curves of the best value so far, one per seed, and microseconds per ask."""

    def __init__(self, text):
        self.curves, self.micros = {}, []
        for line in text.splitlines():
            seed, micros, *curve = line.split()
            self.curves[int(seed)] = [float(v) for v in curve]
            self.micros.append(float(micros))

    @property
    def bests(self):
        return [self.curves[s][-1] for s in sorted(self.curves)]

    def median_at(self, trial):
        return statistics.median(c[min(trial, len(c)) - 1] for c in self.curves.values())

    def reaches(self, target):
        """Trials after which the median of the best is at most `target`; None: never."""
        longest = max(len(c) for c in self.curves.values())
        return next((n for n in range(1, longest + 1) if self.median_at(n) <= target), None)


def wilcoxon(a, b):
    """Two-sided p of Wilcoxon's signed rank test for pairs, by the normal approximation with ties."""
    differences = [x - y for x, y in zip(a, b) if x != y]
    n = len(differences)
    if n < 6:
        return None
    ranked = sorted(range(n), key=lambda i: abs(differences[i]))
    rank, tied, at = [0.0] * n, 0, 0
    while at < n:
        end = at
        while end + 1 < n and abs(differences[ranked[end + 1]]) == abs(differences[ranked[at]]):
            end += 1
        for i in range(at, end + 1):
            rank[ranked[i]] = (at + end) / 2 + 1
        tied += (end - at + 1) ** 3 - (end - at + 1)
        at = end + 1
    plus = sum(r for r, d in zip(rank, differences) if d > 0)
    spread = math.sqrt(n * (n + 1) * (2 * n + 1) / 24 - tied / 48)
    z = (abs(plus - n * (n + 1) / 4) - 0.5) / spread
    return min(1.0, math.erfc(z / math.sqrt(2)))


# ---- programs ------------------------------------------------------------------------------------


def run(command, text=None):
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, input=text, capture_output=True, text=True, env=environment)
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        raise RuntimeError(lines[-1] if lines else f"ended with {done.returncode}")
    return done.stdout


def ours(function, trials, seeds, *knobs):
    return Runs(run([program("bench_search"), function, str(trials), "0", str(seeds - 1), *knobs]))


def peer(*words, text=None):
    return run([peers()[0], str(HERE / "peer_search.py"), *map(str, words)], text)


def peers():
    """The Python with the peers, and their names: what peers.sh made, or Debian's Optuna alone."""
    if not hasattr(peers, "found"):
        python, _ = peers_python()
        if python is None or not has(python, "optuna"):
            python = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable
        peers.found = python, [name for name in ("optuna", "hyperopt") if has(python, name)]
    return peers.found


# ---- tables ----------------------------------------------------------------------------------------


def number(value):
    return f"{value:.4g}" if value is not None else "-"


def rows_of(runs, random):
    target = statistics.median(random.bests)
    for label, r in runs:
        paired = [random.curves[s][-1] for s in sorted(r.curves) if s in random.curves]
        p = None if r is random else wilcoxon(r.bests, paired)
        reached = r.reaches(target)
        yield [label, str(len(r.curves)), number(statistics.mean(r.bests)), number(statistics.pstdev(r.bests)),
               number(statistics.median(r.bests)), "-" if p is None else f"{p:.1e}", str(reached or "-"),
               f"{statistics.mean(r.micros):,.0f}"]


HEAD = ["", "seeds", "mean", "s.d.", "median", "p", "reach", "us/ask"]


def add_peers(args, runs, words):
    for name in [] if args.ours else peers()[1]:
        progress(f"{' '.join(words)}: {name}")
        try:
            runs.append((name, Runs(peer(*[name if w == "KIND" else w for w in words]))))
        except RuntimeError as problem:
            say(f"  left out: {name}: {problem}")
    progress("")


def function(args, name):
    """One function in all samplers; the mean of ours."""
    progress(f"{name}: ours")
    random = ours(name, args.trials, args.seeds, "sampler=random")
    runs = [("random", random), ("spectune", ours(name, args.trials, args.seeds, *args.set))]
    runs += [(f"spectune {p}", ours(name, args.trials, args.seeds, f"preset={p}")) for p in args.presets]
    if not args.ours and peers()[1]:
        peer("check", name, text=run([program("bench_search"), "points", name, "50"]))
        add_peers(args, runs, ["KIND", name, str(args.trials), "0", str(min(args.seeds, args.peer_seeds) - 1)])
    bar = f" (bar: mean {BARS[name]:g})" if name in BARS else ""
    say(f"{name}, {args.trials} trials{bar}")
    table(HEAD, list(rows_of(runs, random)))
    say("")
    return statistics.mean(runs[1][1].bests)


def surrogate(args):
    """A forest fitted to a study: random's median after 250 trials is the target."""
    library = str(build_folder() / "libspectune.so")
    words = ["surrogate", args.study, library]

    def go(kind, seeds, *knobs):
        progress(f"surrogate: {kind} {' '.join(knobs)}")
        return Runs(peer(*words, kind, 250, 0, seeds - 1, *knobs))

    random = go("spectune", args.seeds, "sampler=random")
    runs = [("random", random), ("spectune", go("spectune", args.seeds, *args.set))]
    if not args.ours:
        add_peers(args, runs, [*words, "KIND", "250", "0", str(min(args.seeds, args.peer_seeds) - 1)])
    target = statistics.median(random.bests)
    say(f"forest fitted to {pathlib.Path(args.study).name}, 250 trials")
    table(HEAD, list(rows_of(runs, random)))
    reached = dict((label, r.reaches(target)) for label, r in runs)
    say(f"  random's median after 250 trials, {target:.4g}: ours reaches it in {reached['spectune'] or 'more than 250'} "
        f"trials (bar: 83, and what Optuna needs: {reached.get('optuna') or '-'})\n")


def asks(args):
    """Milliseconds per ask of ours at each number of trials; Optuna's at the lowest."""
    say("ask, 30 parameters of a conditional space, one thread")
    took = {n: float(run([program("bench_search"), "ask", str(n), *args.set])) for n in ASK_BARS}
    for n, milliseconds in took.items():
        say(f"  {n:,} finished trials: {milliseconds:.3f} ms (bar: {ASK_BARS[n]:g})")
    if not args.ours and "optuna" in peers()[1]:
        progress("ask: optuna")
        theirs = float(peer("ask", 1000))
        progress("")
        say(f"  Optuna at 1,000: {theirs:.1f} ms, {theirs / took[1000]:.0f} times ours")
    say("")
    return took


# ---- the command -------------------------------------------------------------------------------------


def arguments():
    parts = [*FUNCTIONS, "ask"]
    parser = argparse.ArgumentParser(prog="run.sh search", description=__doc__)
    parser.add_argument("--only", default=",".join(parts), metavar="PART,...", help="of " + ", ".join(parts))
    parser.add_argument("--seeds", type=count, default=100, help="of ours (100): 0 and up")
    parser.add_argument("--peer-seeds", type=count, default=20, help="of the others (20)")
    parser.add_argument("--trials", type=count, default=100, help="of every run (100)")
    parser.add_argument("--presets", default="", metavar="NAME,...", help="presets of ours to run, too")
    parser.add_argument("--set", action="append", default=[], metavar="KNOB=VALUE", help="a knob of our default")
    parser.add_argument("--study", metavar="FILE", help="an Optuna database; a forest fitted to it is searched, too")
    parser.add_argument("--ours", action="store_true", help="nobody else")
    args = parser.parse_args()
    args.only = args.only.split(",")
    args.presets = [p for p in args.presets.split(",") if p]
    for part in args.only:
        if part and part not in parts:
            parser.error(f"there is no {part}; {', '.join(parts)} are possible")
    return args


def main():
    args = arguments()
    say(f"Samplers. {machine()}.")
    if not args.ours:
        python, names = peers()
        say(f"Compared with {run([python, str(HERE / 'peer_search.py'), 'version', *names]).strip() or 'nobody'}.")
    say("mean, s.d., median: of the best value; p: paired Wilcoxon against random; reach: trials until the median is at")
    say("most random's final one. No function is met at its space's defaults: the first trial is drawn, too.\n")
    try:
        means = {name: function(args, name) for name in FUNCTIONS if name in args.only}
        if args.study:
            if has(peers()[0], "sklearn"):
                surrogate(args)
            else:
                say("left out: the forest needs scikit-learn in the peers' environment\n")
        took = asks(args) if "ask" in args.only else {}
    except RuntimeError as problem:
        fail(problem)
    except KeyboardInterrupt:
        return 130
    last = [f"{name} {means[name]:.4g}" if name in means else f"{name} -" for name in BARS]
    last += [f"ask{n} {took[n]:.3f}" if n in took else f"ask{n} -" for n in ASK_BARS]
    say("search " + " ".join(last))
    return 0


if __name__ == "__main__":
    sys.exit(main())
