#!/usr/bin/env python3
"""A PostgreSQL server for the time of one command.

usage: server.py COMMAND ARGUMENT...      exit code: the command's; 77 (skipped) where no server is installed

The command finds the url of an empty database in SPT_TEST_POSTGRES. As a module: `with Server() as s: s.url`,
s.stop(), s.start(). The server listens on loopback only and is stopped by its own process id; its files are in a
temporary folder. PostgreSQL refuses to run as root: then it runs as `nobody`."""
import glob
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time


def binaries():
    """The newest server's folder of programs, None without one."""
    found = [d for d in glob.glob("/usr/lib/postgresql/*/bin") if os.path.exists(d + "/initdb")]
    if found:
        return max(found, key=lambda d: int(d.split("/")[4].split(".")[0]))
    path = shutil.which("initdb")
    return os.path.dirname(path) if path else None


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    def __init__(self):
        self.bin, self.process = binaries(), None
        if self.bin is None:
            raise FileNotFoundError("no PostgreSQL server is installed (Debian: postgresql)")
        self.folder = tempfile.mkdtemp(prefix="spectune-postgres-")
        self.port = free_port()
        self.user = {}
        if os.getuid() == 0:
            nobody = pwd.getpwnam("nobody")
            os.chown(self.folder, nobody.pw_uid, nobody.pw_gid)
            self.user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        self.environment = {**os.environ, "LC_ALL": "C", "HOME": self.folder}
        self.run("initdb", "-D", self.folder + "/data", "-U", "tester", "-A", "trust", "-E", "UTF8", "--locale=C")
        self.url = f"postgresql://tester@127.0.0.1:{self.port}/postgres"
        self.start()

    def run(self, program, *args):
        done = subprocess.run([f"{self.bin}/{program}", *args], cwd=self.folder, env=self.environment, capture_output=True, text=True,
                              **self.user)
        if done.returncode != 0:
            raise RuntimeError(f"{program}: {done.stderr.strip()}")

    def database(self, name):
        """The url of a database of that name, made if there is none."""
        url = f"postgresql://tester@127.0.0.1:{self.port}/"
        found = subprocess.run([f"{self.bin}/psql", url + "postgres", "-Atc", f"SELECT 1 FROM pg_database WHERE datname = '{name}'"],
                               env=self.environment, capture_output=True, text=True, check=True)
        if not found.stdout.strip():
            self.run("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", "tester", name)
        return url + name

    def ready(self):
        return subprocess.run([f"{self.bin}/pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)], env=self.environment).returncode == 0

    def start(self):
        log = open(self.folder + "/log", "ab")
        self.process = subprocess.Popen(
            [f"{self.bin}/postgres", "-D", self.folder + "/data", "-p", str(self.port), "-k", self.folder, "-c", "listen_addresses=127.0.0.1",
             "-c", "max_connections=60"],
            cwd=self.folder, env=self.environment, stdout=log, stderr=log, **self.user)
        log.close()
        for _ in range(600):
            if self.ready():
                return
            if self.process.poll() is not None:
                raise RuntimeError(open(self.folder + "/log", errors="replace").read())
            time.sleep(0.05)
        raise RuntimeError("the server does not answer")

    def stop(self, how=signal.SIGINT):
        """SIGINT: sessions are ended, all is written; SIGQUIT: as if it had crashed."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(60)
        self.process = None

    def close(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *what):
        self.close()


def main():
    if binaries() is None:
        print("skipped: no PostgreSQL server is installed (Debian: postgresql)")
        return 77
    with Server() as server:
        return subprocess.run(sys.argv[1:], env={**os.environ, "SPT_TEST_POSTGRES": server.url}).returncode


if __name__ == "__main__":
    sys.exit(main())
