"""Two real processes with four devices each, on one machine."""

import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
from runs import SMOKE, final_state, lines

from gan_jax.runtime import json_lines
from gan_jax.runtime import workdir as workdirs
from gan_jax.runtime.checkpoint_reading import best_step


def free_port():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


@pytest.fixture
def start(launch):
    """Returns `start(*arguments, devices=(4, 4), fresh=False)`: two processes of one job."""

    def start(*arguments, devices=(4, 4), fresh=False):
        job = (f"--coordinator=127.0.0.1:{free_port()}", "--num_processes=2")
        return [
            launch(SMOKE, *arguments, *job, f"--process_id={i}", devices=count, fresh=fresh)
            for i, count in enumerate(devices)
        ]

    return start


def finish(processes):
    """The statuses and what each wrote on stderr."""
    results = [process.communicate(timeout=200) for process in processes]
    return [process.returncode for process in processes], [stderr for _, stderr in results]


def test_two_processes_give_the_run_of_one_and_resume(start, run, tmp_path):
    """Adam with a large epsilon: with the usual one it magnifies the order of float sums.

    The first two are fresh processes: their hashes differ.
    """
    flags = [f"--config.{net}_optimizer.eps=1e-3" for net in ("generator", "discriminator")]
    flags += ["--config.eval.every_images=160", "--config.eval.extractor=pixels"]
    workdir = f"--workdir={tmp_path / 'two'}"

    begun = start(*flags, workdir, "--config.total_steps=20", fresh=True)
    statuses, (first, second) = finish(begun)
    assert statuses == [0, 0], (first, second)
    assert "finished: step 20" in first
    assert "step" not in second  # one process talks
    statuses, (first, second) = finish(start(*flags, workdir))
    assert statuses == [0, 0], (first, second)
    assert "going on from step 20" in first

    one = tmp_path / "one"
    assert run(SMOKE, *flags, f"--workdir={one}", devices=8)[0] == 0
    (step, state), (_, expected) = final_state(tmp_path / "two"), final_state(one)
    assert step == 40
    for path, array in expected.items():
        np.testing.assert_allclose(state[path], array, atol=1e-5, err_msg=path)
    assert [line["step"] for line in lines(tmp_path / "two")] == list(range(4, 41, 4))
    two, alone = (json_lines.read(path / "evaluation.jsonl") for path in (tmp_path / "two", one))
    assert [line["step"] for line in two] == [20, 40]
    for ours, theirs in zip(two, alone, strict=True):
        assert ours["metrics"] == pytest.approx(theirs["metrics"], rel=1e-3)
    assert best_step(tmp_path / "two" / "checkpoints") == best_step(one / "checkpoints")


def test_sigterm_to_one_stops_both_after_the_same_step(start, tmp_path):
    workdir = tmp_path / "run"
    processes = start(f"--workdir={workdir}", "--config.total_steps=1000000")
    deadline = time.monotonic() + 150
    while not (workdir / "metrics.jsonl").exists():
        assert time.monotonic() < deadline
        assert [process.poll() for process in processes] == [None, None]
        time.sleep(0.1)
    processes[1].send_signal(signal.SIGTERM)
    statuses, (first, second) = finish(processes)
    assert statuses == [0, 0], (first, second)
    stopped = int(re.search(r"stopped at step (\d+), which is saved", first)[1])
    assert final_state(workdir)[0] == stopped
    assert lines(workdir)[-1]["step"] == stopped - stopped % 4


def test_what_one_cannot_do_stops_both(start, tmp_path):
    """Process 0 finds the workdir held: the other does not wait for it for ever."""
    with workdirs.lock(tmp_path / "run"):
        statuses, (first, second) = finish(start(f"--workdir={tmp_path / 'run'}"))
    assert statuses == [2, 2], (first, second)
    assert f"in use by another run (process {os.getpid()})" in first
    assert "another process of this job cannot go on" in second
    assert os.listdir(tmp_path / "run") == [".lock"]


def test_processes_with_unlike_numbers_of_devices_are_refused(start, tmp_path):
    processes = start(f"--workdir={tmp_path / 'run'}", devices=(2, 4))
    statuses, (first, second) = finish(processes)
    assert statuses == [2, 2], (first, second)
    assert "have 2, 4 devices" in first
    assert "have 2, 4 devices" in second
    assert not (tmp_path / "run").exists()


def test_two_processes_evaluate_as_one(start, run, tmp_path):
    """Each draws its share, looks at it, and learns what the other saw; one writes."""
    folder = tmp_path / "run"
    assert run(SMOKE, f"--workdir={folder}", "--config.total_steps=20", devices=8)[0] == 0
    flags = ["--mode=evaluate", f"--workdir={folder}", "--extractor=random", "--num_samples=50"]
    flags += ["--figures=cheap"]
    statuses, errors = finish(start(*flags))
    assert statuses == [0, 0], errors
    (two,) = json_lines.read(folder / "evaluation.jsonl")
    (folder / "evaluation.jsonl").unlink()
    status, _, stderr = run(*flags, devices=8)
    assert status == 0, stderr
    (one,) = json_lines.read(folder / "evaluation.jsonl")
    assert two["protocol"] == one["protocol"]
    assert two["metrics"] == pytest.approx(one["metrics"], rel=1e-2)


ROUNDS = """
import os, shutil, sys
port, index, folder = sys.argv[1], int(sys.argv[2]), sys.argv[3]
os.environ["XDG_CACHE_HOME"] = cache = os.path.join(folder, str(index))
import jax, jax.numpy as jnp, numpy as np
jax.config.update("jax_num_cpu_devices", 4)
jax.distributed.initialize(f"localhost:{port}", 2, index)
assert jax.device_count() == 8
from gan_jax import extraction
from gan_jax.algorithms.algorithm import Algorithm
from gan_jax.data.source import ArraySource
from gan_jax.metrics import extractors
from gan_jax.runtime import parallel

extractor, numbers = extractors.pixels()._replace(chunk=3), np.arange(50)
points = np.stack([numbers, 10 + numbers], axis=-1).astype(np.float32)[:, None, None]
source = ArraySource(name="numbers", split="train", fingerprint="f", images=points)
for attempt in range(3):  # made; only one of the two has it in its cache; both have it
    seen = extraction.of_reals(extractor, source)
    np.testing.assert_array_equal(seen.features, points[:, 0, 0])
    if attempt == index == 0:
        shutil.rmtree(cache)

def sample(weights, key, number, labels, offset):
    return jnp.stack([offset + jnp.arange(number), labels], axis=-1)[:, None, None]

algorithm, asked = Algorithm(None, None, sample, 1), np.int32(numbers % 10)
draw = extraction.of_fakes(extractor.extract, algorithm, (1, 1, 2), asked, 50, chunk=3)
seen = draw(*parallel.replicate(({}, {})), 0)
np.testing.assert_array_equal(seen.features, np.stack([numbers, asked], axis=-1))
"""


def test_two_processes_look_at_all_examples_in_order(tmp_path):
    """In three rounds of eight devices, of which the last is not full."""
    port = free_port()
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", ROUNDS, str(port), str(index), str(tmp_path)],
            cwd=pathlib.Path(__file__).parent.parent,
            stderr=subprocess.PIPE,
            text=True,
        )
        for index in range(2)
    ]
    statuses, errors = finish(processes)
    assert statuses == [0, 0], errors
