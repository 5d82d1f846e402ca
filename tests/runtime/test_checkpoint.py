"""Checkpoints: real Orbax files, really damaged, and savers really killed."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import struct

from gan_jax.errors import InputError
from gan_jax.runtime.checkpoint import Checkpoints, NonFiniteState
from gan_jax.runtime.checkpoint_reading import (
    best_step,
    newest_metadata,
    restore_weights,
    saved_steps,
)
from gan_jax.runtime.checkpoint_record import Score


class State(struct.PyTreeNode):
    step: jax.Array
    key: jax.Array
    generator: dict
    opt_state: tuple
    ema: dict


def state_of(step, *, impl=None, side=64):
    rng = np.random.default_rng(step)  # noise: bits that no compression hides

    def normal(*shape):
        return jnp.asarray(rng.normal(size=shape), jnp.float32)

    params = {"Dense_0": {"kernel": normal(side, side), "bias": normal(side)}}
    return State(
        step=jnp.int32(step),
        key=jax.random.key(step, impl=impl),
        generator={"params": params, "half": normal(5).astype(jnp.bfloat16)},
        opt_state=optax.adam(1e-3).init(params),
        ema={"params": {"Dense_0": {"kernel": normal(16, 16)}}, "spectral": {}},
    )


def abstract(like=None):
    return jax.eval_shape(lambda: like if like is not None else state_of(0))


def assert_same(got, wanted):
    assert jax.tree.structure(got) == jax.tree.structure(wanted)
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(wanted), strict=True):
        assert a.dtype == b.dtype
        if jnp.issubdtype(a.dtype, jax.dtypes.prng_key):
            a, b = jax.random.key_data(a), jax.random.key_data(b)
        else:
            assert isinstance(a, np.ndarray)
        assert a.shape == b.shape
        assert np.asarray(a).tobytes() == np.asarray(b).tobytes()


@pytest.fixture(scope="module")
def pristine(tmp_path_factory):
    """A folder with the checkpoints of steps 1000 and 2000."""
    folder = tmp_path_factory.mktemp("pristine") / "checkpoints"
    with Checkpoints(folder) as checkpoints:
        for step in (1000, 2000):
            checkpoints.save(step, state_of(step), {"images": 128 * step})
    return folder


@pytest.fixture
def folder(pristine, tmp_path):
    return shutil.copytree(pristine, tmp_path / "checkpoints")


def files_of(folder, step):
    return sorted(p for p in (folder / str(step)).rglob("*") if p.is_file())


def largest(folder, step):
    return max(files_of(folder, step), key=lambda file: file.stat().st_size)


def flip(file, at):
    data = bytearray(file.read_bytes())
    data[int(at * len(data))] ^= 16
    file.write_bytes(data)


# ---- saving and restoring ------------------------------------------------------------------------


@pytest.mark.parametrize("impl", ["threefry2x32", "rbg"])
def test_a_restored_state_is_the_saved_one_bit_for_bit(tmp_path, impl):
    state = state_of(3, impl=impl).replace(
        ema={"none": jnp.zeros((0, 3)), "scalar": jnp.float32(3)}
    )
    metadata = {"config": {"lr": 1e-4, "widths": (256, 512)}, "images": 384}
    with Checkpoints(tmp_path / "c") as checkpoints:
        assert checkpoints.restore_latest(abstract(state)) is None
        assert newest_metadata(tmp_path / "c") is None
        checkpoints.save(3, state, metadata)
    with Checkpoints(tmp_path / "c") as checkpoints:
        for like in (state, abstract(state)):
            restored = checkpoints.restore_latest(like)
            assert_same(restored.state, state)
            assert (restored.step, restored.notes) == (3, [])
            assert restored.metadata == {
                "config": {"lr": 1e-4, "widths": [256, 512]},
                "images": 384,
            }
        assert newest_metadata(tmp_path / "c") == restored.metadata
    assert newest_metadata(tmp_path / "none") is None


def test_the_latest_are_kept_and_the_newest_restored(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a relative folder, as `--workdir=runs/x` gives
    with Checkpoints("runs/c", keep=2) as checkpoints:
        for step in (1, 2, 3):
            checkpoints.save(step, state_of(step), {})
        checkpoints.wait()
        assert checkpoints.steps() == [2, 3]
        assert_same(checkpoints.restore_latest(abstract()).state, state_of(3))
    assert sorted(os.listdir("runs/c")) == ["2", "3"]


def test_the_best_are_kept_beside_the_latest(tmp_path):
    folder, tiny = tmp_path / "c", {"ema": {"w": np.zeros(3, np.float32)}}

    def save(scores, name):
        with Checkpoints(folder, keep=1, keep_best=2) as checkpoints:
            for step, score in scores.items():
                checkpoints.save(step, tiny, {}, score=score and Score(name, score))
        return saved_steps(folder)

    assert save({1: 3.0, 2: 5.0, 3: 4.0}, "fd") == [2, 3]
    assert save({4: 1.0, 5: None}, "fd") == [2, 3, 5]  # in another process, so to speak
    assert best_step(folder) == 2
    assert save({6: 4.5}, "fd") == [2, 6]
    assert save({7: 4.0, 8: 5.0}, "fd") == [2, 8]
    assert best_step(folder) == 8  # the later one of equals
    # Of another kind: what came before is kept, and is no longer the best.
    assert save({9: -2.0, 10: -3.0, 11: -4.0}, "accuracy") == [2, 8, 9, 10, 11]
    assert best_step(folder) == 9


def test_without_scores_none_is_the_best(folder):
    with pytest.raises(InputError, match="was evaluated in training"):
        best_step(folder)


def test_the_state_is_copied_before_save_returns(tmp_path):
    state = {"ema": {"w": np.zeros((1000, 1000), np.float32)}}
    with Checkpoints(tmp_path / "c") as checkpoints:
        checkpoints.save(1, state, {})
        state["ema"]["w"][:] = 1.0  # as a donated buffer is written over by the next step
        restored = checkpoints.restore_latest(state)
    assert not restored.state["ema"]["w"].any()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_a_state_that_is_not_finite_is_not_saved(folder, bad, dtype):
    before = sorted(folder.rglob("*"))
    state = state_of(3000)
    state.generator["params"]["Dense_0"]["bias"] = jnp.full(64, bad, dtype)
    with Checkpoints(folder) as checkpoints:
        with pytest.raises(NonFiniteState, match="generator/params/Dense_0/bias") as caught:
            checkpoints.save(3000, state, {})
        assert (caught.value.leaf, caught.value.step) == ("generator/params/Dense_0/bias", 3000)
        assert checkpoints.steps() == [1000, 2000]
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize("step", [1500, 2000])
def test_a_save_that_orbax_would_skip_is_an_error(folder, step):
    with Checkpoints(folder) as checkpoints, pytest.raises(RuntimeError, match="not newer"):
        checkpoints.save(step, state_of(step), {})


# ---- damage --------------------------------------------------------------------------------------


def test_flipped_bits_never_get_through(pristine, tmp_path, caplog):
    fell_back = 0
    for i, file in enumerate(files_of(pristine, 2000)):
        for at in (0.1, 0.5, 0.9):
            folder = shutil.copytree(pristine, tmp_path / f"{i}-{at}")
            flip(folder / file.relative_to(pristine), at)
            weights = restore_weights(folder, abstract().ema)
            assert_same(weights.state, state_of(weights.step).ema)
            with Checkpoints(folder) as checkpoints:
                restored = checkpoints.restore_latest(abstract())
            assert_same(restored.state, state_of(restored.step))
            assert restored.metadata == {"images": 128 * restored.step}
            assert bool(restored.notes) == (restored.step == 1000)
            fell_back += restored.step == 1000
            shutil.rmtree(folder)
    assert fell_back >= 10
    assert not caplog.records  # the notes say it; Orbax need not


def test_a_flipped_bit_in_an_array_is_named(folder):
    flip(largest(folder, 2000), 0.5)
    with Checkpoints(folder) as checkpoints:
        restored = checkpoints.restore_latest(abstract())
    (note,) = restored.notes
    assert note.startswith("checkpoint 2000 is damaged (")
    assert note.endswith("); going on from 1000")


def test_a_wrong_array_is_caught_by_its_checksum_alone(folder):
    """Orbax reads the arrays of another checkpoint without a fault."""
    shutil.rmtree(folder / "2000" / "state")
    shutil.copytree(folder / "1000" / "state", folder / "2000" / "state")
    with Checkpoints(folder) as checkpoints:
        restored = checkpoints.restore_latest(abstract())
    assert restored.notes == [
        "checkpoint 2000 is damaged (ema/params/Dense_0/kernel: checksum); going on from 1000"
    ]


def test_changed_metadata_is_caught(folder):
    file = folder / "2000" / "metadata" / "metadata"
    file.write_text(file.read_text().replace('"images": 256000', '"images": 256001'))
    assert newest_metadata(folder) == {"images": 128000}
    with Checkpoints(folder) as checkpoints:
        restored = checkpoints.restore_latest(abstract())
    assert restored.notes == ["checkpoint 2000 is damaged (metadata: checksum); going on from 1000"]


def truncate(file):
    os.truncate(file, file.stat().st_size // 2)


def remove_item(name):
    return lambda folder: shutil.rmtree(folder / "2000" / name)


DAMAGES = {
    "arrays truncated": lambda folder: truncate(largest(folder, 2000)),
    "arrays deleted": lambda folder: largest(folder, 2000).unlink(),
    "arrays emptied": lambda folder: os.truncate(largest(folder, 2000), 0),
    "manifest deleted": lambda folder: (folder / "2000" / "state" / "manifest.ocdbt").unlink(),
    "state gone": remove_item("state"),
    "JSON truncated": lambda folder: truncate(folder / "2000" / "metadata" / "metadata"),
    "JSON deleted": lambda folder: (folder / "2000" / "metadata" / "metadata").unlink(),
    "JSON gone": remove_item("metadata"),
    "JSON of another kind": lambda folder: (folder / "2000/metadata/metadata").write_text("[]"),
    "JSON not text": lambda folder: (folder / "2000/metadata/metadata").write_bytes(b"\xff\xfe"),
    "everything gone": lambda folder: [file.unlink() for file in files_of(folder, 2000)],
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_the_one_before_a_damaged_checkpoint_is_taken_and_training_goes_on(folder, damage):
    damage(folder)
    with Checkpoints(folder) as checkpoints:
        restored = checkpoints.restore_latest(abstract())
        assert_same(restored.state, state_of(1000))
        assert restored.notes[0].startswith("checkpoint 2000 is damaged (")
        checkpoints.put_aside(restored.damaged)
        checkpoints.save(2000, state_of(2001), {})  # the same step again, with what it comes to
        checkpoints.wait()
        assert checkpoints.steps() == [1000, 2000]
        again = checkpoints.restore_latest(abstract())
    assert_same(again.state, state_of(2001))
    assert again.notes == []
    assert (folder / "2000.damaged").exists()  # put aside, not destroyed


def test_a_damaged_checkpoint_does_not_count_among_those_kept(folder):
    largest(folder, 2000).unlink()
    with Checkpoints(folder, keep=2) as checkpoints:
        checkpoints.put_aside(checkpoints.restore_latest(abstract()).damaged)
        checkpoints.save(1500, state_of(1500), {})
        checkpoints.wait()
        assert checkpoints.steps() == [1000, 1500]


def test_when_all_are_damaged_the_error_says_what_to_do(folder):
    shutil.rmtree(folder / "1000" / "state")
    truncate(folder / "2000" / "metadata" / "metadata")
    with Checkpoints(folder) as checkpoints:
        with pytest.raises(InputError, match=r"2000 \(metadata: .*1000 \(state: .*delete"):
            checkpoints.restore_latest(abstract())
        assert checkpoints.steps() == [1000, 2000]
    with pytest.raises(InputError, match="can be read"):
        restore_weights(folder)


def without_optimizer(state):
    return state.replace(opt_state=())


def wider(state):
    return state_of(0, side=65)


def other_dtype(state):
    return state.replace(step=jnp.float32(0))


def other_key(state):
    return state.replace(key=jax.random.key(0, impl="rbg"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (without_optimizer, "only the checkpoint has opt_state/0/count"),
        (lambda s: s.replace(ema=s.ema | {"new": s.step}), "only this config has ema/new"),
        (wider, r"Dense_0/bias is float32\(64,\) there, float32\(65,\) in this config"),
        (other_dtype, r"step is int32\(\) there, float32\(\) in this config"),
        (other_key, r"key is uint32\(2,\) there, uint32\(4,\) in this config"),
    ],
)
def test_a_tree_that_does_not_match_is_an_input_error_and_no_damage(folder, change, said):
    with Checkpoints(folder) as checkpoints:
        with pytest.raises(InputError, match=said):
            checkpoints.restore_latest(abstract(change(state_of(0))))
        assert checkpoints.steps() == [1000, 2000]
    assert not list(folder.glob("*.damaged"))


# ---- the averaged generator alone ----------------------------------------------------------------


def test_weights_are_restored_alone(folder):
    weights = restore_weights(folder, step=1000)
    kernel = state_of(1000).ema["params"]["Dense_0"]["kernel"]
    assert_same(weights.state, {"params": {"Dense_0": {"kernel": kernel}}})
    assert weights.metadata == {"images": 128000}
    assert_same(restore_weights(folder, abstract().ema).state, state_of(2000).ema)


def test_weights_are_read_past_damage_to_the_rest(tmp_path):
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(1, state_of(1, side=1000), {})
    flip(largest(tmp_path, 1), 0.5)  # a megabyte of generator beside a kilobyte of ema
    restored = restore_weights(tmp_path, abstract().ema)
    assert_same(restored.state, state_of(1, side=1000).ema)
    with Checkpoints(tmp_path) as checkpoints, pytest.raises(InputError, match="can be read"):
        checkpoints.restore_latest(abstract(state_of(0, side=1000)))


def test_weights_that_are_not_there(folder, tmp_path):
    for empty in (tmp_path / "nothing", tmp_path):
        with pytest.raises(InputError, match="holds no checkpoint: train first"):
            restore_weights(empty)
    assert not (tmp_path / "nothing").exists()
    with pytest.raises(InputError, match=r"no checkpoint of step 1500; there are \[1000, 2000\]"):
        restore_weights(folder, step=1500)
    with pytest.raises(InputError, match="only this config has other"):
        restore_weights(folder, abstract().ema | {"other": np.zeros(())})
    files_of(folder, 1000)[0].write_text("x")
    (folder / "1000" / "metadata" / "metadata").unlink()
    with pytest.raises(InputError, match=r"1000 \(metadata: FileNotFoundError\)"):
        restore_weights(folder, step=1000)


# ---- other processes -----------------------------------------------------------------------------

ROOT = Path(__file__).parents[2]


def run_all(script, *arguments):
    """Runs Python on `script` once for each tuple of arguments, side by side.

    The script may import this module as `t`. Yields (return code, stderr) of each.
    """
    prelude = "import sys; sys.path.insert(0, 'tests/runtime'); import test_checkpoint as t\n"
    environment = os.environ | {"NPROC": "32", "PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"}
    with contextlib.ExitStack() as stack:
        processes = []
        for args in arguments:
            process = subprocess.Popen(
                [sys.executable, "-c", prelude + script, *map(str, args)],
                cwd=ROOT,
                env=environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )
            processes.append(stack.enter_context(process))
            stack.callback(process.kill)  # where a test fails before the end
        for process in processes:
            _, stderr = process.communicate(timeout=60)
            yield process.returncode, stderr


KILLED = """
import os, signal, time, absl.logging
absl.logging.use_absl_handler()
absl.logging.set_verbosity(absl.logging.INFO)
checkpoints = t.Checkpoints(sys.argv[1])
checkpoints.save(1, t.state_of(1, side=1500), {})
checkpoints.wait()
checkpoints.save(2, t.state_of(2, side=1500), {})
time.sleep(float(sys.argv[2]))
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_kill_9_in_the_middle_of_a_save_loses_nothing(tmp_path):
    like = abstract(state_of(0, side=1500))
    delays = (0, 0.05)
    torn = 0
    for delay, (status, stderr) in zip(
        delays, run_all(KILLED, *((tmp_path / str(d), d) for d in delays)), strict=True
    ):
        assert status == -9, stderr
        assert stderr == ""  # Orbax is quiet, even where absl is not
        folder = tmp_path / str(delay)
        torn += (tmp := any("tmp" in p.name for p in folder.iterdir()))
        with Checkpoints(folder) as checkpoints:
            restored = checkpoints.restore_latest(like)
            assert restored.notes == []
            assert restored.step == (1 if tmp else 2)
            assert_same(restored.state, state_of(restored.step, side=1500))
            checkpoints.save(3, state_of(3, side=1500), {})
        assert sorted(os.listdir(folder)) == [str(restored.step), "3"]  # what was torn is gone
    assert torn  # the first at least


TWO_PROCESSES = """
import jax, numpy as np
port, index, folder = sys.argv[1], int(sys.argv[2]), sys.argv[3]
jax.config.update("jax_num_cpu_devices", 4)
jax.distributed.initialize(f"localhost:{port}", 2, index)
assert jax.device_count() == 8
# As the loop has it: the state goes in and comes out of pmap unstacked.
step = jax.pmap(lambda s, x: s.replace(step=s.step + 1), in_axes=(None, 0), out_axes=None)
with t.Checkpoints(folder) as checkpoints:
    state = t.state_of(0)
    for i in (1, 2):
        state = step(t.state_of(i), np.zeros(4)).replace(step=np.int32(i))
        checkpoints.save(i, state, {"images": i})
    checkpoints.wait()
    jax.experimental.multihost_utils.sync_global_devices("saved")
    if index == 0:
        t.largest(t.Path(folder), 2).unlink()
    jax.experimental.multihost_utils.sync_global_devices("damaged")
    restored = checkpoints.restore_latest(state)
    assert restored.step == 1, restored
    assert restored.notes[0].startswith("checkpoint 2 is damaged (state: "), restored.notes
    checkpoints.put_aside(restored.damaged)
    checkpoints.save(2, step(restored.state, np.zeros(4)), {"images": 2})
"""


def test_two_processes_of_four_devices_save_and_one_restores(tmp_path):
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    for status, stderr in run_all(TWO_PROCESSES, (port, 0, tmp_path), (port, 1, tmp_path)):
        assert status == 0, stderr[-3000:]
    with Checkpoints(tmp_path) as checkpoints:
        assert checkpoints.steps() == [1, 2]
        restored = checkpoints.restore_latest(abstract())
    assert_same(restored.state, state_of(1).replace(step=np.int32(2)))
    assert restored.notes == []
    assert (tmp_path / "2.damaged").exists()
