"""What the benchmarks share: where things are, programs that run round by round, tables.

A program that takes part is a process of its own (Worker). It prepares itself and says "ready FACTS";
for each "go" it does its work once and says "done SAMPLES SECONDS NOTE". Between its rounds it sleeps
on its input, so that all of them can take turns in one run and meet the same machine."""
import contextlib
import functools
import json
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent


def fail(text):
    print("bench:", text, file=sys.stderr)
    sys.exit(1)


# ---- where things are --------------------------------------------------------------------------


def build_folder():
    """The folder of a release build; anything else would measure the wrong thing."""
    folder = pathlib.Path(os.environ.get("BUILD", HERE.parents[1] / "build"))
    try:
        options = json.loads((folder / "meson-info/intro-buildoptions.json").read_text(encoding="utf-8"))
    except OSError:
        fail(f"{folder} is no build folder; start with sh tests/bench/run.sh")
    told = {o["name"]: o["value"] for o in options}
    if told["optimization"] != "3" or told["b_sanitize"] not in ("none", []):
        fail(f"{folder} has buildtype {told['buildtype']}, sanitizers {told['b_sanitize']}; a release build "
             "is needed: BUILD=FOLDER names another")
    return folder


def program(name):
    return str(build_folder() / "tests/bench" / name)


def has(python, module):
    return subprocess.run([python, "-c", f"import importlib.util as u, sys; sys.exit(u.find_spec('{module}') is None)"],
                          stderr=subprocess.DEVNULL).returncode == 0


@functools.cache
def peers_python():
    """The Python with the peers, and whether it is only Debian's PyTorch; (None, False) without any."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    python = pathlib.Path(os.environ.get("SPECTUNE_PEERS") or cache + "/spectune-peers") / "bin/python"
    if python.exists():
        return str(python), False
    if os.path.exists("/usr/bin/python3") and has("/usr/bin/python3", "torch"):
        return "/usr/bin/python3", True
    return None, False


@contextlib.contextmanager
def scratch():
    """A folder that is gone afterwards, also when the run is stopped."""
    def stop(number, _frame):
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, stop)
    folder = tempfile.mkdtemp(prefix="spectune-bench-")
    try:
        yield pathlib.Path(folder)
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except Unavailable as problem:  # in the middle of its turns
        fail(problem)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


# ---- programs that take turns ------------------------------------------------------------------


def environment(threads, folder):
    """For a program that may use so many threads and leaves its own files in `folder`."""
    n = str(threads)
    return {**os.environ, "OMP_NUM_THREADS": n, "MKL_NUM_THREADS": n, "OPENBLAS_NUM_THREADS": n,
            "BLIS_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "2",
            "KERAS_BACKEND": "tensorflow", "KERAS_HOME": str(folder / "keras"),
            "TORCHINDUCTOR_CACHE_DIR": str(folder / "inductor"), "TMPDIR": str(folder),
            "PYTHONDONTWRITEBYTECODE": "1"}


class Unavailable(Exception):
    """A program cannot take part; the text says why."""


class Worker:
    by_cpu = False  # count the seconds that a program's threads got, not those that passed

    def __init__(self, name, command, threads, folder):
        self.name, self.threads, self.rounds = name, threads, []
        self.errors = tempfile.TemporaryFile(dir=folder)
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors,
                                        text=True, env=environment(threads, folder))
        try:
            self.facts = json.loads(self.answer("ready"))
        except BaseException:
            self.close(at_once=True)
            raise

    def answer(self, word):
        line = self.process.stdout.readline()
        if not line.startswith(word + " "):
            self.process.wait()
            self.errors.seek(0)
            said = self.errors.read().decode(errors="replace").strip().splitlines()
            raise Unavailable(f"{self.name}: {said[-1] if said else 'ended without a word'}")
        return line[len(word) + 1:].strip()

    def used(self):
        """Processor seconds of the program so far; the clock of another process as Linux numbers it."""
        return time.clock_gettime(~self.process.pid << 3 | 2)

    def ask(self, how="go"):
        self.before = self.used() if self.by_cpu else 0
        self.process.stdin.write(how + "\n")
        self.process.stdin.flush()

    def take(self):
        """The answer to ask(): seconds are kept, the note is returned."""
        samples, seconds, note = (self.answer("done") + " ").split(" ", 2)
        if self.by_cpu:
            seconds = (self.used() - self.before) / self.threads
        self.rounds.append((float(samples), float(seconds)))
        return note.strip()

    def go(self, how="go"):
        self.ask(how)
        return self.take()

    @property
    def rates(self):
        return [samples / seconds for samples, seconds in self.rounds]

    @property
    def rate(self):
        return statistics.median(self.rates)

    @property
    def seconds(self):
        return statistics.median(seconds for _, seconds in self.rounds)

    def close(self, at_once=False):
        if at_once:
            self.process.kill()
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()
        self.errors.close()


@contextlib.contextmanager
def crew():
    """A list of workers that are all ended in the end, without delay when something went wrong."""
    workers, wrong = [], True
    try:
        yield workers
        wrong = False
    finally:
        for worker in workers:
            worker.close(at_once=wrong)


def start_ours(workers, *words, threads=1, folder):
    """One of our own programs; when it does not run there is nothing to measure."""
    try:
        workers.append(Worker("spectune", [program(words[0]), *words[1:], "--serve"], threads, folder))
    except Unavailable as problem:
        fail(problem)
    return workers[-1]


def start_peer(workers, name, script, *words, threads=1, folder):
    """A program of another framework, or None with a line that says why not."""
    progress(f"starting {name}, {threads} thread(s)")
    try:
        worker = Worker(name, [peers_python()[0], str(HERE / script), *words], threads, folder)
    except Unavailable as problem:
        progress("")
        say(f"  left out: {problem}")
        return None
    progress("")
    workers.append(worker)
    return worker


def write_inputs(folder, *words):
    """Have one of our programs leave its inputs in a new folder."""
    folder.mkdir()
    if subprocess.run([program(words[0]), *words[1:], "--write", str(folder)]).returncode:
        fail(f"{words[0]} could not write its inputs")
    return folder


# ---- telling -----------------------------------------------------------------------------------


def say(*text):
    print(*text, flush=True)


def progress(text):
    """A line that is overwritten, on a terminal only."""
    if sys.stderr.isatty():
        print("\r\033[K" + text, end="", file=sys.stderr, flush=True)


def count(text):
    """A whole number of at least 1, for the command line."""
    value = int(text)
    if value < 1:
        raise ValueError
    return value


def common_options(parser, rounds):
    """What every benchmark can be told."""
    parser.add_argument("--rounds", type=count, default=rounds, help=f"turns of every program ({rounds})")
    parser.add_argument("--ours", action="store_true", help="nobody else; no ratios")
    parser.add_argument("--by-cpu", action="store_true", help="count the processor time that a program got instead of the "
                        "time that passed: for a look on a machine that others use meanwhile")


def begin(args):
    """Take common_options() to heart; ends the program when there is nothing to compare with."""
    Worker.by_cpu = args.by_cpu
    if not args.ours and peers_python()[0] is None:
        fail("there is nothing to compare with; sh tests/bench/peers.sh installs it, --ours does without")


def machine():
    """Processor, cores and day, for a table that somebody will keep."""
    name = os.uname().machine
    with contextlib.suppress(OSError), open("/proc/cpuinfo", encoding="utf-8") as file:
        name = next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), name)
    return f"{name}, {len(os.sched_getaffinity(0))} cores, {time.strftime('%Y-%m-%d')}"


class Load:
    """How busy others kept the machine meanwhile: their processor seconds per second."""

    def __init__(self):
        self.start, self.busy, self.own = time.monotonic(), self.everyone(), self.mine()

    @staticmethod
    def everyone():
        try:
            with open("/proc/stat", encoding="utf-8") as file:
                user, nice, system, _idle, _wait, irq, soft, steal = map(int, file.readline().split()[1:9])
        except (OSError, ValueError):
            return None
        return (user + nice + system + irq + soft + steal) / os.sysconf("SC_CLK_TCK")

    @staticmethod
    def mine():
        t = os.times()
        return t.user + t.system + t.children_user + t.children_system

    def text(self):
        """To be called when the programs have ended, as their seconds count only then."""
        if self.busy is None:
            return ""
        others = self.everyone() - self.busy - (self.mine() - self.own)
        share = max(0.0, others / (time.monotonic() - self.start))
        return f"other programs kept {share:.2f} of {os.cpu_count()} cores busy meanwhile"


def table(head, rows):
    """Columns as wide as their widest cell; the first to the left, the others to the right."""
    widths = [max(len(r[i]) for r in [head, *rows]) for i in range(len(head))]
    for row in [head, *rows]:
        say("  " + "  ".join(c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths))).rstrip())


def thousands(value):
    return f"{value:,.0f}"
