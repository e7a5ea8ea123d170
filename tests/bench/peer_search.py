"""Other programs' samplers on the functions of search_functions.c, for run_search.py.

    peer_search.py optuna|hyperopt FUNCTION TRIALS FIRST-SEED LAST-SEED
        a line per seed: the seed, microseconds per ask, the best value after each trial
    peer_search.py check FUNCTION            points of bench_search on the input; fails if a value differs
    peer_search.py ask TRIALS                milliseconds per ask of Optuna, 30 conditional parameters
    peer_search.py version                   what is there
    peer_search.py surrogate FILE LIBRARY KIND TRIALS FIRST-SEED LAST-SEED [KNOB=VALUE...]
        the first form on a forest fitted to a study; KIND spectune, optuna or hyperopt"""
import math
import sys
import time
import warnings

warnings.filterwarnings("ignore")


# ---- functions ---------------------------------------------------------------------------------


def sphere(x):
    return sum(v * v for v in x)


def rosenbrock(x):
    return sum(100 * (b - a * a) ** 2 + (1 - a) ** 2 for a, b in zip(x, x[1:]))


def rastrigin(x):
    return 10 * len(x) + sum(v * v - 10 * math.cos(2 * math.pi * v) for v in x)


def ackley(x):
    n = len(x)
    return (20 + math.e - 20 * math.exp(-0.2 * math.sqrt(sphere(x) / n))
            - math.exp(sum(math.cos(2 * math.pi * v) for v in x) / n))


def levy(x):
    w = [1 + (v - 1) / 4 for v in x]
    return (math.sin(math.pi * w[0]) ** 2 + (w[-1] - 1) ** 2 * (1 + math.sin(2 * math.pi * w[-1]) ** 2)
            + sum((v - 1) ** 2 * (1 + 10 * math.sin(math.pi * v + 1) ** 2) for v in w[:-1]))


def styblinski(x):
    return sum(v ** 4 - 16 * v * v + 5 * v for v in x) / 2 + 39.166165703771412 * len(x)


BOXES = {"sphere": (sphere, 5), "rosenbrock": (rosenbrock, 5), "rastrigin": (rastrigin, 5.12),
         "ackley": (ackley, 32.768), "levy": (levy, 10), "styblinski": (styblinski, 5)}


def conditional(v):
    child, centre, base = {(1, 1): ("a", -0.75, 0.025), (1, 0): ("b", -0.25, 0.05), (0, 1): ("c", 0.25, 0.4),
                           (0, 0): ("d", 0.75, 0.01)}[(int(v["x"]), int(v["n"] if v["x"] else v["m"]))]
    return (v[child] - v["y"]) ** 2 + (v[child] - centre) ** 2 + base


def cnnlike(v):
    n = int(v["n"])
    f = 0.5 * (math.log10(v["lr"]) + 3) ** 2 + (0, 0.05, 0.3)[int(v["act"])] + 0.1 * abs(n - 2) + 2 * (v["drop"] - 0.2) ** 2
    for i in range(n):
        f += 0.15 * (math.log2(v[f"filters_{i}"]) - 5.5) ** 2 / n + 0.002 * (v[f"kernel_{i}"] - (9 + 6 * i)) ** 2 / n
    return f + 0.02 * (v["pool_size"] - 3) ** 2 - 0.05 if v["pool"] else f


def real(name, low, high, step=0, log=False, when=None):
    return dict(name=name, kind="float", low=low, high=high, step=step, log=log, when=when)


def whole(name, low, high, step=1, log=False, when=None):
    return dict(name=name, kind="int", low=low, high=high, step=step, log=log, when=when)


def choice(name, n, when=None):
    return dict(name=name, kind="choice", n=n, when=when)


def is_(parent, *values):
    return parent, values


def space_of(function):
    """Parameters, parents first; `when` is a parent and the values it must have."""
    if function == "conditional":
        return [choice("x", 2), choice("n", 2, is_("x", 1)), choice("m", 2, is_("x", 0)), real("y", -1, 1),
                real("a", -1, 1, when=is_("n", 1)), real("b", -1, 1, when=is_("n", 0)),
                real("c", -1, 1, when=is_("m", 1)), real("d", -1, 1, when=is_("m", 0))]
    if function == "cnnlike":
        layers = [p for i in range(3) for p in
                  (whole(f"filters_{i}", 8, 128, log=True, when=is_("n", *range(i + 1, 4))),
                   whole(f"kernel_{i}", 3, 41, 2, when=is_("n", *range(i + 1, 4))))]
        return [whole("n", 1, 3), real("lr", 1e-5, 1e-1, log=True), choice("act", 3), *layers, choice("pool", 2),
                whole("pool_size", 2, 8, when=is_("pool", 1)), real("drop", 0, 0.6, 0.05)]
    if function == "timing":
        kinds = (lambda n, w: real(n, -1, 1, when=w), lambda n, w: real(n, 1e-5, 0.1, log=True, when=w),
                 lambda n, w: whole(n, 8, 128, log=True, when=w), lambda n, w: whole(n, 3, 41, 2, when=w),
                 lambda n, w: choice(n, 3, w))
        parents = [None] * 15 + [is_("layers", 2, 3, 4)] * 3 + [is_("layers", 3, 4)] * 3 + [is_("pool", 1)] * 3 + \
            [is_("letter", 1)] * 3
        return [whole("layers", 1, 4), choice("pool", 2), choice("letter", 4),
                *(kinds[i % 5](f"p{i:02d}", parents[i]) for i in range(27))]
    name = function.rstrip("0123456789")
    radius = BOXES[name][1]
    return [real(f"x{i}", -radius, radius) for i in range(int(function[len(name):]))]


def value_of(function, values):
    if function in ("conditional", "cnnlike"):
        return globals()[function](values)
    name = function.rstrip("0123456789")
    return BOXES[name][0]([values[f"x{i}"] for i in range(int(function[len(name):]))])


def exists(parameter, values):
    return parameter["when"] is None or values.get(parameter["when"][0]) in parameter["when"][1]


# ---- Optuna --------------------------------------------------------------------------------------


def suggest(trial, p):
    if p["kind"] == "choice":
        return trial.suggest_categorical(p["name"], list(range(p["n"])))
    if p["kind"] == "int":
        return trial.suggest_int(p["name"], p["low"], p["high"], step=p["step"], log=p["log"])
    return trial.suggest_float(p["name"], p["low"], p["high"], step=p["step"] or None, log=p["log"])


def ask_optuna(study, space):
    trial, values = study.ask(), {}
    for p in space:
        if exists(p, values):
            values[p["name"]] = suggest(trial, p)
    return trial, values


def run_optuna(space, value, trials, seed):
    import optuna
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
    best, asking, curve = math.inf, 0.0, []
    for _ in range(trials):
        start = time.perf_counter()
        trial, values = ask_optuna(study, space)
        asking += time.perf_counter() - start
        loss = value(values)
        study.tell(trial, loss)
        best = min(best, loss)
        curve.append(best)
    return 1e6 * asking / trials, curve


def distribution(p):
    import optuna
    d = optuna.distributions
    if p["kind"] == "choice":
        return d.CategoricalDistribution(list(range(p["n"])))
    if p["kind"] == "int":
        return d.IntDistribution(p["low"], p["high"], step=p["step"], log=p["log"])
    return d.FloatDistribution(p["low"], p["high"], step=p["step"] or None, log=p["log"])


def time_optuna(trials, asks=5):
    import numpy
    import optuna
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    space, rng = space_of("timing"), numpy.random.default_rng(1)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=1))
    random = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    for _ in range(trials):
        _, values = ask_optuna(random, space)
        study.add_trial(optuna.trial.create_trial(params=values, value=float(rng.random()), distributions={
            p["name"]: distribution(p) for p in space if p["name"] in values}))
    took = []
    for _ in range(asks):
        start = time.perf_counter()
        trial, _ = ask_optuna(study, space)
        took.append(time.perf_counter() - start)
        study.tell(trial, float(rng.random()))
    return 1e3 * sorted(took)[asks // 2]


# ---- hyperopt ------------------------------------------------------------------------------------


def mend_hyperopt():
    """Its switch refuses the numpy integers that its own draws are; Python's are what it wants."""
    from hyperopt.pyll import base
    evaluate = base.rec_eval

    def patched(expr, *args, **kw):
        memo = kw.get("memo")
        if memo:
            kw["memo"] = {node: v.item() if hasattr(v, "item") and getattr(v, "ndim", 1) == 0 else v
                          for node, v in memo.items()}
        return evaluate(expr, *args, **kw)

    base.rec_eval = patched


def hyperopt_space(space):
    """A choice per parent, with its children in the options, as hyperopt's tree has it."""
    from hyperopt import hp
    parents, made = {p["when"][0] for p in space if p["when"]}, {}

    def node(p):
        """One for each name: it may stand in several options."""
        if p["name"] not in made:
            made[p["name"]] = new_node(p)
        return made[p["name"]]

    def new_node(p):
        name = p["name"]
        if p["kind"] == "choice" or name in parents:
            values = list(range(p["n"])) if p["kind"] == "choice" else list(range(p["low"], p["high"] + 1, p["step"]))
            return hp.choice(name, [(v, {c["name"]: node(c) for c in once.get(name, ()) if v in c["when"][1]}) for v in values])
        if p["kind"] == "float" and not p["step"]:
            return hp.loguniform(name, math.log(p["low"]), math.log(p["high"])) if p["log"] else \
                hp.uniform(name, p["low"], p["high"])
        step = p["step"]
        if p["log"]:
            return hp.qloguniform(name, math.log(p["low"] - step / 2), math.log(p["high"] + step / 2), step)
        # Its grids start at zero: the number of the value is searched.
        return hp.quniform(name, -0.5, round((p["high"] - p["low"]) / step) + 0.5, 1)

    once = {name: [c for c in space if c["when"] and c["when"][0] == name] for name in parents}
    return {p["name"]: node(p) for p in space if p["when"] is None}


def flatten(space, drawn):
    """hyperopt's nested draw as values by name."""
    known, values = {p["name"]: p for p in space}, {}

    def take(tree):
        for name, v in tree.items():
            p = known[name]
            if isinstance(v, (tuple, list)):
                values[name] = v[0]
                take(v[1])
            elif p["kind"] == "float" and not p["step"] or p.get("log"):
                values[name] = min(max(float(v), p["low"]), p["high"])
            else:
                last = round((p["high"] - p["low"]) / p["step"])
                values[name] = p["low"] + p["step"] * min(max(round(float(v)), 0), last)

    take(drawn)
    return values


def run_hyperopt(space, value, trials, seed):
    import numpy
    from hyperopt import Trials, fmin, tpe
    mend_hyperopt()
    best, curve, spent, asks = [math.inf], [], [0.0], [0]

    def algorithm(*args, **kw):
        start = time.perf_counter()
        result = tpe.suggest(*args, **kw)
        spent[0] += time.perf_counter() - start
        asks[0] += 1
        return result

    def objective(drawn):
        loss = value(flatten(space, drawn))
        best[0] = min(best[0], loss)
        curve.append(best[0])
        return loss

    fmin(objective, hyperopt_space(space), algo=algorithm, max_evals=trials, trials=Trials(), show_progressbar=False,
         rstate=numpy.random.default_rng(seed), verbose=False)
    return 1e6 * spent[0] / asks[0], curve


# ---- a forest that stands for a study ---------------------------------------------------------------


def read_study(path):
    """Parameters, and (values, loss) of the complete trials, of the only study in an Optuna database."""
    import json
    import sqlite3
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    rows, kinds = {}, {}
    for trial, name, v, d in db.execute(
            "select trial_id, param_name, param_value, distribution_json from trial_params join trials using (trial_id) "
            "where state = 'COMPLETE'"):
        rows.setdefault(trial, {})[name] = v
        kinds.setdefault(name, json.loads(d))
    sign = -1 if db.execute("select direction from study_directions").fetchone()[0] == "MAXIMIZE" else 1
    losses = dict(db.execute("select trial_id, value from trial_values where value is not null"))
    trials = [(rows[t], sign * losses[t]) for t in sorted(rows) if t in losses]
    space = []
    for name, d in kinds.items():
        a = d["attributes"]
        if d["name"] == "CategoricalDistribution":
            space.append(choice(name, len(a["choices"])))
        elif d["name"] == "IntDistribution":
            space.append(whole(name, a["low"], a["high"], a["step"], a["log"]))
        else:
            space.append(real(name, a["low"], a["high"], a["step"] or 0, a["log"]))
    return order(space, trials), trials


def order(space, trials):
    """Find the parent of what some trials lack: a whole number or choice whose values tell. Parents first."""
    always = [p for p in space if all(p["name"] in v for v, _ in trials)]
    for p in space:
        if p in always:
            continue
        for q in always:
            if q["kind"] == "float":
                continue
            have = {v[q["name"]] for v, _ in trials if p["name"] in v}
            if not have & {v[q["name"]] for v, _ in trials if p["name"] not in v}:
                p["when"] = is_(q["name"], *sorted(int(x) for x in have))
                break
        else:
            raise SystemExit(f"nothing tells when '{p['name']}' exists")
    return always + [p for p in space if p not in always]


class Surrogate:
    def __init__(self, path):
        import numpy
        from sklearn.ensemble import RandomForestRegressor
        self.space, trials = read_study(path)
        x = numpy.array([self.row(v) for v, _ in trials])
        forest = RandomForestRegressor(n_estimators=64, random_state=0, n_jobs=1)
        forest.fit(x, numpy.array([loss for _, loss in trials]))
        self.trees = [(t.tree_.feature.tolist(), t.tree_.threshold.tolist(), t.tree_.children_left.tolist(),
                       t.tree_.children_right.tolist(), t.tree_.value[:, 0, 0].tolist()) for t in forest.estimators_]

    def row(self, values):
        """What does not exist stands below everything."""
        return [values.get(p["name"], (p.get("low", 0)) - 1) for p in self.space]

    def __call__(self, values):
        row, total = self.row(values), 0.0
        for feature, threshold, left, right, value in self.trees:
            at = 0
            while left[at] >= 0:
                at = left[at] if row[feature[at]] <= threshold[at] else right[at]
            total += value[at]
        return total / len(self.trees)


class Spectune:
    """The library through its C interface."""

    def __init__(self, library, space):
        import ctypes
        self.c, self.lib, self.space = ctypes, ctypes.CDLL(library), space
        self.lib.spt_ctx_last_error.restype = ctypes.c_char_p
        self.lib.spt_space_free.argtypes = self.lib.spt_sampler_free.argtypes = [ctypes.c_void_p]
        self.lib.spt_config_free.argtypes = self.lib.spt_options_free.argtypes = [ctypes.c_void_p]
        self.ctx, self.handle = ctypes.c_void_p(), ctypes.c_void_p()
        self.call("spt_ctx_new", None, ctypes.byref(self.ctx))
        self.call("spt_space_new", self.ctx, b"surrogate", ctypes.byref(self.handle))
        for p in space:
            self.add(p)

    def call(self, name, *args):
        status = getattr(self.lib, name)(*args)
        if status < 0:
            raise SystemExit(f"{name}: {self.lib.spt_ctx_last_error(self.ctx).decode()}")
        return status

    def add(self, p):
        c, name = self.c, p["name"].encode()
        if p["kind"] == "choice":
            texts = (c.c_char_p * p["n"])(*(str(i).encode() for i in range(p["n"])))
            self.call("spt_space_add_categorical", self.handle, name, texts, p["n"], 0)
        elif p["kind"] == "int":
            low, high, step = (c.c_int64(int(p[k])) for k in ("low", "high", "step"))
            self.call("spt_space_add_int", self.handle, name, low, high, step, int(p["log"]), low)
        else:
            low, high, step = (c.c_double(p[k]) for k in ("low", "high", "step"))
            self.call("spt_space_add_float", self.handle, name, low, high, step, int(p["log"]), low)
        if p["when"]:
            texts = (c.c_char_p * len(p["when"][1]))(*(str(v).encode() for v in p["when"][1]))
            self.call("spt_space_add_condition", self.handle, name, p["when"][0].encode(), 7, texts, len(texts))

    def run(self, value, trials, seed, knobs):
        c = self.c
        options, sampler = c.c_void_p(), c.c_void_p()
        self.call("spt_sampler_options_new", self.ctx, c.byref(options))
        for knob in ["first=random", f"seed={seed}", *knobs]:
            name, _, text = knob.partition("=")
            self.call("spt_options_set_text", options, name.encode(), text.encode())
        self.call("spt_sampler_new", self.ctx, self.handle, options, c.byref(sampler))
        best, asking, curve = math.inf, 0.0, []
        for i in range(trials):
            config, number = c.c_void_p(), c.c_double()
            start = time.perf_counter()
            self.call("spt_sampler_propose", sampler, c.c_int64(i), c.byref(config))
            asking += time.perf_counter() - start
            values = {}
            for p in self.space:
                if self.lib.spt_config_number(config, p["name"].encode(), c.byref(number)) >= 0:
                    values[p["name"]] = number.value
            loss = value(values)
            self.call("spt_sampler_tell", sampler, c.c_int64(i), config, 1, c.c_double(loss), c.c_int64(0))
            self.lib.spt_config_free(config)
            best = min(best, loss)
            curve.append(best)
        self.lib.spt_sampler_free(sampler)
        self.lib.spt_options_free(options)
        return 1e6 * asking / trials, curve


# ---- the command -----------------------------------------------------------------------------------


def tell(seed, result):
    print(seed, f"{result[0]:.3f}", *(f"{v:.9g}" for v in result[1]), flush=True)


def check(function):
    n = 0
    for line in sys.stdin:
        values = {k: float(v) for k, _, v in (word.partition("=") for word in line.split())}
        theirs = values.pop("value")
        ours = value_of(function, values)
        known = {p["name"]: exists(p, values) for p in space_of(function)}
        if abs(ours - theirs) > 1e-9 * max(1, abs(theirs)) or {k for k, v in known.items() if v} != set(values):
            raise SystemExit(f"{function}: {ours} here, {theirs} there, at {values}")
        n += 1
    print(n)


def main():
    kind, *args = sys.argv[1:]
    if kind == "check":
        check(args[0])
    elif kind == "ask":
        print(f"{time_optuna(int(args[0])):.3f}")
    elif kind == "version":
        from importlib.metadata import version
        print(" ".join(f"{name}={version(name)}" for name in args))
    elif kind == "surrogate":
        path, library, kind, trials, first, last, *knobs = args
        f = Surrogate(path)
        ours = Spectune(library, f.space) if kind == "spectune" else None
        for seed in range(int(first), int(last) + 1):
            if ours:
                tell(seed, ours.run(f, int(trials), seed, knobs))
            else:
                tell(seed, {"optuna": run_optuna, "hyperopt": run_hyperopt}[kind](f.space, f, int(trials), seed))
    else:
        function, trials, first, last = args
        space = space_of(function)
        run = {"optuna": run_optuna, "hyperopt": run_hyperopt}[kind]
        for seed in range(int(first), int(last) + 1):
            tell(seed, run(space, lambda values: value_of(function, values), int(trials), seed))


if __name__ == "__main__":
    sys.exit(main())
