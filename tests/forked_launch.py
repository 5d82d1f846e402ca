"""Runs `launch.py` in forks of one process, which has imported what takes seconds to import.

They are processes of their own, and end as `python launch.py` does. But all have one seed of hashes
and of NumPy's global numbers, and read at their start what libraries read when they are imported:
what must not depend on these is for a fresh process. `Forks` is the test's end of it; the other one
reads a line of JSON an order and answers each with a line.
"""

import gc
import json
import os
import pathlib
import runpy
import signal
import subprocess
import sys
import time

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
        """Starts `launch.py` in a folder and an environment; returns its `Run`."""
        streams = [self._folder / f"{time.monotonic_ns()}.{name}" for name in ("stdout", "stderr")]
        for stream in streams:
            stream.touch()
        order = [list(map(str, arguments)), str(folder), dict(environment)]
        return Run(self, self.ask("start", *order, *map(str, streams)), streams)

    def ask(self, *order):
        """The answer to an order."""
        print(json.dumps(order), file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        assert answer, "the process that forks has ended"
        return json.loads(answer)


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
            time.sleep(0.02)
        return tuple(stream.read_text() for stream in self._streams)

    def send_signal(self, number):
        """Sends a signal, unless its end is known."""
        if self.returncode is None:
            os.kill(self.pid, number)

    def kill(self):
        """As `kill -9`."""
        self.send_signal(signal.SIGKILL)


# ---- the other end -------------------------------------------------------------------------------


def main():
    """Serves; in each fork, does what `python launch.py` does."""
    sys.path.insert(0, str(ROOT))
    from gan_jax import checks, evaluate, experiment, sample, train  # noqa: F401
    from gan_jax.data import inspection, reading  # noqa: F401

    gc.freeze()  # a fork would look through all of that again, above all at its end
    running = set()
    try:
        order = serve(running)
    finally:  # what still runs ends too; a fork has none
        for process in running:
            os.kill(process, signal.SIGKILL)
    if order:
        become(*order)


def serve(running):
    """Answers orders to the end; in each fork, returns what it is to become."""
    for what, *order in map(json.loads, sys.stdin):
        if what == "start":
            answer = os.fork()
            if not answer:
                running.clear()
                return order
            running.add(answer)
        else:
            ended, status = os.waitpid(*order, os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if ended else None
            running.discard(ended)
        print(json.dumps(answer), flush=True)
    return None


def become(arguments, folder, environment, *streams):
    """Runs `launch.py`; the process ends as that does."""
    for number, path in enumerate((os.devnull, *streams)):
        with open(path, "r+") as file:
            os.dup2(file.fileno(), number)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["launch.py", *arguments]
    runpy.run_path(str(ROOT / "launch.py"), run_name="__main__")


if __name__ == "__main__":
    main()
