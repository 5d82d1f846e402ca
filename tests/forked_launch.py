"""Runs `launch.py` in forks of one process, which has imported what takes seconds to import.

They are processes of their own, to be killed and to be left behind as those of a shell. `Forks` is
the test's end of it; the other one reads a line of JSON an order and answers each with a line.
"""

import json
import os
import pathlib
import runpy
import signal
import subprocess
import sys
import time
import traceback

ROOT = pathlib.Path(__file__).parent.parent


class Forks:
    """The process that forks; a context manager. What its runs write is kept in a folder."""

    def __init__(self, folder):
        self._folder = folder
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self):
        return self

    def __exit__(self, *raised):
        with self._process:  # closes its stdin, at which it ends
            pass

    def launch(self, *arguments, folder, environment):
        """Starts `launch.py` in a folder, in an environment of its own; returns its `Run`."""
        streams = [self._folder / f"{time.monotonic_ns()}.{name}" for name in ("stdout", "stderr")]
        order = [list(map(str, arguments)), str(folder), dict(environment)]
        return Run(self, self.ask("start", *order, *map(str, streams)), streams)

    def ask(self, *order):
        """The answer to an order."""
        print(json.dumps(order), file=self._process.stdin, flush=True)
        return json.loads(self._process.stdout.readline())


class Run:
    """A process as `subprocess.Popen` shows it."""

    def __init__(self, forks, pid, streams):
        self._forks, self._streams = forks, streams
        self.pid, self.returncode = pid, None

    def poll(self):
        """The exit status, minus a signal's number; None while it runs."""
        if self.returncode is None:
            self.returncode = self._forks.ask("status", self.pid)
        return self.returncode

    def communicate(self, timeout=240):
        """Waits for the end; what was written to stdout, and to stderr."""
        deadline = time.monotonic() + timeout
        while self.poll() is None:
            if time.monotonic() > deadline:
                self.kill()
                raise TimeoutError([stream.read_text() for stream in self._streams])
            time.sleep(0.002)
        return tuple(stream.read_text() for stream in self._streams)

    def send_signal(self, number):
        """Sends a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self):
        """As `kill -9`."""
        self.send_signal(signal.SIGKILL)


# ---- the other end -------------------------------------------------------------------------------


def main():
    """Serves, and takes with it what still runs."""
    sys.path.insert(0, str(ROOT))
    from gan_jax import checks, evaluate, experiment, sample, train  # noqa: F401
    from gan_jax.data import inspection, reading  # noqa: F401

    running = set()
    for what, *order in map(json.loads, sys.stdin):
        if what == "start":
            answer = start(*order)
            running.add(answer)
        else:
            (pid,) = order
            ended, status = os.waitpid(pid, os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if ended else None
            running -= {ended}
        print(json.dumps(answer), flush=True)
    for pid in running:
        os.kill(pid, signal.SIGKILL)


def start(arguments, folder, environment, *streams):
    """What `python launch.py` does, in a fork: its number, and there it never returns."""
    process = os.fork()
    if process:
        return process
    status = 1
    try:
        for number, path in enumerate(streams, 1):
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        sys.argv = ["launch.py", *arguments]
        runpy.run_path(str(ROOT / "launch.py"), run_name="__main__")
        status = 0
    except SystemExit as error:
        status = error.code or 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    main()
