"""Preparing is atomic, happens once, and one process at a time: real processes, really killed."""

import os
import pathlib
import pty
import signal
import subprocess
import sys
import termios

import numpy as np
import pytest

from gan_jax.data import preparation, reading, sources
from gan_jax.data.recipe import Recipe, Split, array_examples

# The package's own __init__ imports jax, which data sets do without, and which takes a second.
WITHOUT_JAX = """
import os, sys, types
package = sys.modules["gan_jax"] = types.ModuleType("gan_jax")
package.__path__ = [os.path.abspath("gan_jax")]
package.__file__ = os.path.join(*package.__path__, "__init__.py")
"""

STALLING = """
import os, signal, sys, time
import numpy as np
from etils import epath
from gan_jax.data import preparation, recipe

signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it

def examples(stall):
    for index in range(300):
        if index == stall:
            os.write(1, b"stalled\\n")  # preparing keeps print off stdout
            time.sleep(600)
        yield recipe.Example(str(index), np.full((4, 4, 1), index % 256, np.uint8))

def split(stall):
    return recipe.Split(300, lambda: examples(stall))

preparation.prepared(recipe.Recipe(
    "slow", "slow", "set", (4, 4, 1), (), {"train": split(int(sys.argv[2])), "test": split(250)},
    False, ""), epath.Path(sys.argv[1]))
"""

LOADING = """
import sys
from gan_jax.data import sources
source = sources.load("folder:" + sys.argv[1], image_size=32, data_dir=sys.argv[2])
print(len(source), source.fingerprint, *sys.modules.keys() & {"jax", "tensorflow"})
"""


@pytest.fixture
def start():
    """Starts a script in a process of its own; what still runs at the end of a test is killed."""
    processes = []

    def call(script, *arguments, stderr=subprocess.PIPE):
        processes.append(
            subprocess.Popen(
                [sys.executable, "-c", WITHOUT_JAX + script, *map(str, arguments)],
                cwd=pathlib.Path(__file__).parents[2],
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            )
        )
        return processes[-1]

    yield call
    for process in processes:
        with process:  # waits, and closes its pipes
            process.kill()


def quick_recipe():
    images = np.arange(300, dtype=np.uint8).reshape(-1, 1, 1, 1).repeat(4, 1).repeat(4, 2)
    split = Split(300, lambda: array_examples(images, np.zeros(300, int)))
    return Recipe("quick", "slow", "set", (4, 4, 1), ("a",), {"train": split}, False, "")


@pytest.mark.parametrize("stall", [100, 1000], ids=["in the first split", "in the second split"])
def test_a_killed_preparation_leaves_nothing_that_looks_finished(tmp_path, start, stall):
    process = start(STALLING, tmp_path, stall)
    assert process.stdout.readline() == "stalled\n"
    assert list(tmp_path.glob("slow/set/incomplete.*"))
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not list(tmp_path.glob("slow/set/[!i]*"))
    folder = preparation.prepared(quick_recipe(), preparation.data_root(tmp_path))
    assert len(reading.read(folder, "slow", "train")) == 300
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]  # leftovers are gone


def test_an_interrupted_preparation_cleans_up_after_itself(tmp_path, start):
    process = start(STALLING, tmp_path, 100)
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    assert "KeyboardInterrupt" in process.communicate()[1]
    assert not list(tmp_path.iterdir())


def test_two_processes_prepare_once(tmp_path, start, write_images):
    write_images(tmp_path / "photos", 300, size=(64, 64))
    processes = [start(LOADING, tmp_path / "photos", tmp_path / "tfds") for _ in range(2)]
    outputs = [process.communicate() for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    assert outputs[0][0] == outputs[1][0]
    assert len(outputs[0][0].split()) == 2  # 300, the fingerprint, and none of the modules
    assert outputs[0][0].startswith("300 ")
    assert sum("Preparing" in errors for _, errors in outputs) == 1


def test_a_second_preparation_waits_for_the_first(tmp_path, start):
    first = start(STALLING, tmp_path, 100)
    assert first.stdout.readline() == "stalled\n"
    second = start(STALLING, tmp_path, 100)
    assert second.stderr.readline() == "Waiting for the process that prepares slow\n"
    first.send_signal(signal.SIGKILL)
    assert second.stdout.readline() == "stalled\n"  # the lock went with its holder
    assert len(list(tmp_path.glob("slow/set/incomplete.*"))) == 1


def test_who_waited_for_one_that_failed_prepares_it_himself(tmp_path, start):
    """Even though the failed one takes away the folders that it made."""
    root = tmp_path / "new" / "data"
    first = start(STALLING, root, 100)
    assert first.stdout.readline() == "stalled\n"
    second = start(STALLING, root, 100)
    assert second.stderr.readline() == "Waiting for the process that prepares slow\n"
    first.send_signal(signal.SIGINT)
    assert second.stdout.readline() == "stalled\n"
    assert len(list(root.glob("slow/set/incomplete.*"))) == 1


def test_where_locks_are_not_shared_the_slower_process_takes_the_faster_ones_set(tmp_path):
    recipe = quick_recipe()
    root = preparation.data_root(tmp_path)
    split = recipe.splits["train"]

    def overtaken():
        """While the examples are read, another host finishes the same set."""
        yield from split.examples()
        finished = tmp_path / "slow" / "set" / "1.0.0"
        finished.mkdir()
        (finished / "theirs").touch()

    slower = Recipe(**vars(recipe) | {"splits": {"train": Split(300, overtaken)}})
    folder = preparation.prepared(slower, root)
    assert [path.name for path in folder.iterdir()] == ["theirs"]
    assert len(list(folder.parent.iterdir())) == 1


def test_prepared_once_it_is_only_read(tmp_path, capfd):
    for _ in range(2):
        sources.load("mnist_5k", data_dir=tmp_path)
    captured = capfd.readouterr()
    assert captured.out == ""
    lines = captured.err.splitlines()
    assert lines[0] == "Preparing mnist_5k, train: 4,000 images"
    assert len(lines) == 4  # two a split, once


def test_where_it_cannot_write_it_says_so(tmp_path, refusal):
    (tmp_path / "file").write_text("in the way")
    message = refusal(sources.load, "mnist_5k", data_dir=tmp_path / "file")
    assert message.startswith(f"mnist_5k cannot be prepared in {tmp_path}/file/mnist_5k/1.0.0")


def test_default_is_the_environments_directory(tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "a"))
    assert os.fspath(preparation.data_root(None)) == str(tmp_path / "a")
    assert os.fspath(preparation.data_root(tmp_path)) == str(tmp_path)
    monkeypatch.delenv("TFDS_DATA_DIR")
    assert os.fspath(preparation.data_root(None)) == str(
        pathlib.Path("~/tensorflow_datasets").expanduser()
    )


def test_a_terminal_gets_a_bar(start):
    leader, follower = pty.openpty()
    termios.tcsetwinsize(follower, (24, 100))
    script = (
        "import time; from gan_jax.data.progress import progress\n"
        "for _ in progress(range(3), 3, 'Preparing'): time.sleep(0.2)"
    )
    process = start(script, stderr=follower)
    os.close(follower)
    shown = b""
    while chunk := _read(leader):
        shown += chunk
    os.close(leader)
    assert process.communicate()[0] == ""
    assert process.returncode == 0
    assert b"Preparing: 100%" in shown
    assert b"3/3" in shown


def _read(descriptor):
    try:
        return os.read(descriptor, 4096)
    except OSError:  # Linux says so when the other end is closed
        return b""
