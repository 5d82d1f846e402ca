"""The training loop: stops, resumes exactly, never saves what is not finite."""

import json
import os
import random
import shutil
import signal
import time

import jax
import numpy as np
import pytest
from PIL import Image
from runs import ROOT, SMOKE, final_state, lines, smoke

from gan_jax.errors import Diverged, InputError
from gan_jax.experiment import DataFacts, build_algorithm
from gan_jax.rng import key_for
from gan_jax.runtime.checkpoint_reading import newest_metadata, restore_weights
from gan_jax.runtime.grid import image_grid
from gan_jax.train import train


def assert_same_run(workdir, expected):
    step, state = final_state(workdir)
    expected_step, expected_state = final_state(expected)
    assert step == expected_step
    assert state.keys() == expected_state.keys()
    assert {"step", "key", "generator", "discriminator", "ema"} <= {
        path.split("'")[1] for path in state
    }
    for path, array in state.items():
        np.testing.assert_array_equal(array, expected_state[path], err_msg=path)
    assert (workdir / "metrics.jsonl").read_bytes() == (expected / "metrics.jsonl").read_bytes()
    for name in ("latest.png", f"step_{step:08d}.png"):
        ours, theirs = workdir / "samples" / name, expected / "samples" / name
        assert ours.read_bytes() == theirs.read_bytes(), name


NETWORKS = ("generator", "discriminator")

# ---- kill -9 ------------------------------------------------------------------------------------

KILLED = [
    *(SMOKE, "--config.total_steps=300", "--config.log_every=2", "--config.sample_every=100"),
    *("--config.checkpoint_every=20", "--config.generator.widths=(256,256)"),
]


def wait_for(condition, process):
    deadline = time.monotonic() + 200
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.0005)


def saving(workdir):
    """Whether a checkpoint is half-written right now."""
    folder = workdir / "checkpoints"
    return folder.exists() and any("tmp" in name for name in os.listdir(folder))


def progress(workdir):
    file = workdir / "metrics.jsonl"
    return file.read_bytes().count(b"\n") if file.exists() else 0


def test_kill_9_at_five_moments_then_the_same_command_again(launch, run, tmp_path):
    """The run without a kill and the last one are fresh processes: their hashes differ."""
    straight, killed = tmp_path / "straight", tmp_path / "killed"
    assert run(*KILLED, f"--workdir={straight}", fresh=True)[0] == 0
    seed = int.from_bytes(os.urandom(4))
    print(f"moments of seed {seed}")  # pytest shows it when the test fails
    moments = random.Random(seed)
    for moment in range(5):
        process = launch(*KILLED, f"--workdir={killed}")
        begun = progress(killed)
        if moment == 0:  # while it starts, as a rule
            end = time.monotonic() + moments.uniform(0, 4)
            wait_for(lambda end=end: time.monotonic() > end or progress(killed) > 20, process)
        else:
            lines_more = moments.randint(1, 20)  # of the 150
            wait_for(lambda n=begun + lines_more: progress(killed) >= n, process)
        if moment == 2:
            wait_for(lambda: saving(killed), process)
        time.sleep(moments.uniform(0, 0.01) if moment % 2 else 0)
        process.kill()
        process.communicate()
        if moment == 2:
            assert saving(killed), "it was not killed in the middle of a save"
    assert progress(killed) < 150, "it was finished before the last kill"
    status, _, stderr = run(*KILLED, f"--workdir={killed}", fresh=True)
    assert status == 0, stderr
    assert "going on from step" in stderr
    assert [line["step"] for line in lines(killed)] == list(range(2, 301, 2))
    assert_same_run(killed, straight)


# ---- stopping and going on ----------------------------------------------------------------------


def test_ctrl_c_ends_a_run_that_compiles_in_one_line(launch, tmp_path):
    config = ROOT / "configs" / "fashion_sngan.py"
    data = ["--config.data.name=mnist_5k", f"--workdir={tmp_path / 'run'}"]
    process = launch(f"--config={config}", *data, XDG_CACHE_HOME=f"{tmp_path}/cold")
    wait_for((tmp_path / "run").exists, process)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert stderr.splitlines()[-1] == "launch.py: interrupted"
    assert process.returncode == 130


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_after_saving_and_the_run_goes_on(number, launch, run, tmp_path):
    workdir = tmp_path / "run"
    arguments = [SMOKE, f"--workdir={workdir}", "--config.checkpoint_every=100000"]
    long = ["--config.total_steps=100000", "--config.log_every=4"]
    process = launch(*arguments, *long)
    wait_for(lambda: progress(workdir) > 3, process)
    process.send_signal(number)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 0, stderr
    step, _ = final_state(workdir)
    assert stderr.count("stopping and saving; a second signal ends at once") == 1
    assert f"stopped at step {step}" in stderr
    assert step < 100000
    rest = step + 8
    status, _, stderr = run(*arguments, f"--config.total_steps={rest}", "--config.log_every=4")
    assert status == 0
    assert f"going on from step {step}" in stderr
    assert final_state(workdir)[0] == rest


def content(folder):
    """Every file of a folder by path; a lock names the process that had it last."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != ".lock")
    return {path.relative_to(folder): path.read_bytes() for path in files}


def test_a_finished_run_says_so_and_changes_nothing(tmp_path, capfd):
    train(smoke(total_steps=8), tmp_path)
    before = content(tmp_path)
    train(smoke(total_steps=8, log_every=2), tmp_path)
    assert "finished: step 8" in capfd.readouterr().err
    assert content(tmp_path) == before


def test_calls_that_would_not_end_where_the_intervals_do_are_refused(tmp_path):
    """As after a stop at step 14 of a run with two steps a call."""
    train(smoke(total_steps=14), tmp_path)
    before = content(tmp_path)
    four = dict.fromkeys(("log_every", "sample_every", "checkpoint_every"), 20)
    with pytest.raises(InputError, match=r"step 14.*--config\.steps_per_call=2$"):
        train(smoke(steps_per_call=4, **four), tmp_path)
    assert content(tmp_path) == before


def test_other_data_under_the_same_name_are_refused(tmp_path, monkeypatch):
    """One picture more, and the order of the data would be another."""
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "prepared"))
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    random = np.random.default_rng(0)

    def add(name):
        Image.fromarray(random.integers(0, 256, (8, 8), np.uint8)).save(pictures / name)

    for number in range(9):
        add(f"{number}.png")
    overrides = {"data.name": f"folder:{pictures}", "data.image_size": 8, "data.channels": 1}
    train(smoke(total_steps=4, **overrides), tmp_path / "run")
    add("9.png")
    before = content(tmp_path / "run")
    with pytest.raises(InputError, match="had 9 examples and has 10"):
        train(smoke(total_steps=8, **overrides), tmp_path / "run")
    assert content(tmp_path / "run") == before
    train(smoke(total_steps=8, **overrides), tmp_path / "run", allow_change=True)
    assert final_state(tmp_path / "run")[0] == 8


def test_a_field_written_out_as_its_family_has_it_is_no_change(tmp_path):
    """Whether it was the run that left it out, or it is today's config that does."""
    train(smoke(total_steps=4), tmp_path)
    config = smoke(total_steps=8)
    with config.discriminator.unlocked(), config.generator.unlocked():
        del config.discriminator["spectral"], config.generator["norm"]
    train(config, tmp_path)
    train(smoke(total_steps=12), tmp_path)
    with config.generator.unlocked():
        config.generator.norm = "batch"
    with pytest.raises(InputError, match=r"config \(generator.norm was 'none', now 'batch'\)"):
        train(config, tmp_path)


def test_a_run_without_a_checkpoint_starts_anew_with_any_config(tmp_path):
    """As after a kill before the first save: nothing is lost by it."""
    train(smoke(), tmp_path)
    shutil.rmtree(tmp_path / "checkpoints")
    train(smoke(loss="non_saturating", total_steps=8), tmp_path)
    assert [line["step"] for line in lines(tmp_path)] == [4, 8]
    assert json.loads((tmp_path / "config.json").read_text())["loss"] == "non_saturating"


def test_a_checkpoint_of_8_devices_goes_on_with_1_and_with_4(run, tmp_path):
    """Equal to the run that stayed on 8, up to the order of float sums.

    With Adam's usual epsilon the order of sums would grow: a tiny gradient makes a whole step.
    """
    arguments = [SMOKE, *(f"--config.{net}_optimizer.eps=1e-3" for net in NETWORKS)]
    first = run(*arguments, f"--workdir={tmp_path / '8'}", "--config.total_steps=20", devices=8)
    assert first[0] == 0, first
    for devices in (4, 1):
        shutil.copytree(tmp_path / "8", tmp_path / str(devices))
    states = {}
    for devices in (8, 4, 1):
        workdir = tmp_path / str(devices)
        status, _, stderr = run(*arguments, f"--workdir={workdir}", devices=devices)
        assert status == 0, stderr
        assert "going on from step 20" in stderr
        step, states[devices] = final_state(workdir)
        assert step == 40
    for devices in (4, 1):
        for path, array in states[8].items():
            np.testing.assert_allclose(states[devices][path], array, atol=1e-5, err_msg=path)


def test_damage_falls_back_to_the_checkpoint_before(tmp_path, capfd):
    """A flipped bit in the newest checkpoint costs ten steps, not the run."""
    straight, damaged = tmp_path / "straight", tmp_path / "damaged"
    for workdir in (straight, damaged):
        train(smoke(), workdir)
    data = max((damaged / "checkpoints" / "40").rglob("*"), key=lambda p: p.stat().st_size)
    content = bytearray(data.read_bytes())
    content[len(content) // 2] ^= 1
    data.write_bytes(content)
    capfd.readouterr()
    train(smoke(), damaged)
    assert "checkpoint 40 is damaged" in (err := capfd.readouterr().err)
    assert "going on from step 30" in err
    assert_same_run(damaged, straight)


def test_a_refusal_touches_nothing_though_a_checkpoint_is_damaged(tmp_path):
    """The newest one, of a changed config, is damaged; the one before is of another config."""
    train(smoke(total_steps=20), tmp_path)
    train(smoke(total_steps=30, loss="non_saturating"), tmp_path, allow_change=True)
    shutil.rmtree(tmp_path / "checkpoints" / "30" / "state")
    before = content(tmp_path)
    with pytest.raises(InputError, match=r"loss was 'relativistic'.*checkpoint 30 is damaged"):
        train(smoke(total_steps=40, loss="non_saturating"), tmp_path)
    assert content(tmp_path) == before


# ---- what is not finite -------------------------------------------------------------------------


def test_a_loss_that_is_not_finite_stops_the_run_and_is_never_saved(run, tmp_path):
    workdir = tmp_path / "run"
    assert run(SMOKE, f"--workdir={workdir}", "--config.total_steps=10")[0] == 0
    before = final_state(workdir)
    rate = "--config.discriminator_optimizer.learning_rate=1e30"
    status, _, stderr = run(SMOKE, f"--workdir={workdir}", rate, "--config_change=allow")
    assert status == 1
    last = stderr.strip().splitlines()[-1]
    assert "diverged" in last
    assert "newest checkpoint is step 10" in last
    assert "Traceback" not in stderr
    step, state = final_state(workdir)
    assert step == 10
    for path, array in state.items():
        np.testing.assert_array_equal(array, before[1][path])


def test_divergence_before_any_checkpoint(tmp_path):
    with pytest.raises(Diverged, match="there is no checkpoint"):
        train(smoke(**{"discriminator_optimizer.learning_rate": 1e30}), tmp_path)


def test_samples_that_are_not_finite_stop_the_run(tmp_path):
    """The first update makes weights whose products overflow, which no loss has seen yet."""
    overrides = {
        **{"generator.widths": (16, 16, 16), "generator_optimizer.learning_rate": 1e16},
        "ema.half_life": 0.0,
    }
    every = dict.fromkeys(("sample_every", "total_steps", "steps_per_call"), 1)
    with pytest.raises(Diverged, match="a sample is not finite at step 1"):
        train(smoke(**every, **overrides, log_every=2), tmp_path)
    assert not (tmp_path / "samples").exists()


# ---- what a run leaves --------------------------------------------------------------------------


def test_host_and_device_placement_give_the_same_run(tmp_path):
    for placement in ("host", "device"):
        train(smoke(**{"data.placement": placement}), tmp_path / placement)
    assert_same_run(tmp_path / "host", tmp_path / "device")


def test_what_adapts_goes_on_exactly_after_a_resume(tmp_path):
    """ADA's probability, LeCam's averages, and what lazy penalties told."""
    adapting = {
        **{"augment.name": "ada", "augment.speed": 1_000, "augment.target": 0.01},
        **{"augment.policy": "b"},
        **{"penalties.lecam": 0.1, "penalty_interval": 4, "loss": "non_saturating"},
    }
    train(smoke(**adapting), tmp_path / "straight")
    train(smoke(**adapting, total_steps=10), tmp_path / "stopped")
    train(smoke(**adapting), tmp_path / "stopped")
    assert_same_run(tmp_path / "stopped", tmp_path / "straight")
    _, state = final_state(tmp_path / "straight")
    controls = {path: value for path, value in state.items() if "controls" in path}
    assert len(controls) == 5  # ADA, LeCam's two, and the last means of two lazy penalties
    assert all(value != 0 for value in controls.values()), controls


def test_intervals_do_not_change_what_is_learned(tmp_path):
    train(smoke(), tmp_path / "a")
    train(smoke(log_every=8, sample_every=40, checkpoint_every=40), tmp_path / "b")
    (step, a), (_, b) = final_state(tmp_path / "a"), final_state(tmp_path / "b")
    assert step == 40
    for path, array in a.items():
        np.testing.assert_array_equal(array, b[path])
    assert lines(tmp_path / "b") == [x for x in lines(tmp_path / "a") if x["step"] % 8 == 0]


NORMS = ("gradient", "update")


def test_a_workdir_holds_what_the_readme_says(tmp_path):
    train(smoke(), tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["batch_size"] == 8
    assert [line["step"] for line in lines(tmp_path)] == list(range(4, 41, 4))
    assert lines(tmp_path)[0]["images"] == 32
    assert lines(tmp_path)[0].keys() == {
        *("step", "images", "discriminator_loss", "generator_loss", "r1", "r2"),
        *("real_logits", "fake_logits", "real_signs", "fake_signs"),
        *("real_slope", "fake_slope", "real_spread", "fake_spread"),
        *(f"{net}_{what}" for net in ("generator", "discriminator") for what in NORMS),
    }
    names = sorted(path.name for path in (tmp_path / "samples").iterdir())
    assert names == ["latest.png", "step_00000020.png", "step_00000040.png"]
    with Image.open(tmp_path / "samples" / "latest.png") as grid:
        assert grid.mode == "L"
        assert grid.width == grid.height
    assert sorted(p.name for p in (tmp_path / "checkpoints").iterdir()) == ["30", "40"]
    assert any((tmp_path / "tensorboard").iterdir())


def test_a_sample_grid_is_of_the_averaged_generator(tmp_path):
    """Of the one that is saved with it, which is still far from the newest weights."""
    config = smoke(**{"ema.half_life": 1e4, "ema.ramp": 0.0})
    train(config, tmp_path)
    saved = restore_weights(tmp_path / "checkpoints")
    algorithm = build_algorithm(config, DataFacts(**saved.metadata["data"]))
    key = key_for(jax.random.key(config.seed), "samples")
    with Image.open(tmp_path / "samples" / "latest.png") as grid:
        pixels = np.asarray(grid)
    expected = image_grid(algorithm.sample(saved.state, key, 100))[..., 0]
    # Compiled, a pixel at the border of two grey levels may fall to either side.
    assert np.abs(pixels - expected.astype(int)).max() <= 1


@pytest.mark.parametrize("channels", [2, 3, 4])  # one: all the others
def test_any_number_of_channels(channels, tmp_path):
    train(smoke(total_steps=2, **{"data.channels": channels, "data.image_size": 8}), tmp_path)
    with Image.open(tmp_path / "samples" / "latest.png") as grid:
        assert grid.mode == {2: "LA", 3: "RGB", 4: "RGBA"}[channels]


def test_a_channel_that_is_the_same_everywhere_is_left_as_it_is(tmp_path, monkeypatch):
    """By its deviation, which is that of rounding (1.5e-6 here), nothing can be divided."""
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "prepared"))
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (301, 17, 17, 3), np.uint8)
    pixels[..., 2] = 77
    for number, picture in enumerate(pixels):
        Image.fromarray(picture).save(pictures / f"{number}.png")
    overrides = {"data.normalize": "standardize", "generator.output": "linear"}
    overrides |= {"data.name": f"folder:{pictures}", "data.image_size": 17}
    train(smoke(total_steps=4, **overrides), tmp_path / "run")
    data = newest_metadata(tmp_path / "run" / "checkpoints")["data"]
    assert data["std"][2] == 1
    assert 0.5 < data["std"][0] < 0.7
    assert lines(tmp_path / "run")[-1]["r1"] < 100


@pytest.mark.parametrize("name", ["ring8", "grid25", "swissroll"])
def test_points(name, tmp_path):
    overrides = {"data.name": f"toy:{name}", "generator.output": "linear"}
    train(smoke(total_steps=4, **overrides), tmp_path)
    with Image.open(tmp_path / "samples" / "latest.png") as plot:
        assert plot.mode == "RGB"


def test_standardized_balanced_conditional_training(tmp_path):
    overrides = {
        **{"data.normalize": "standardize", "generator.output": "linear", "conditional": True},
        **{"data.balance": "uniform", "d_steps": 2, "loss": "non_saturating"},
        **{"penalties.r1": 0.0, "generator_optimizer.schedule": "cosine"},
    }
    train(smoke(**overrides), tmp_path)
    assert "r1" not in lines(tmp_path)[-1]
    data = newest_metadata(tmp_path / "checkpoints")["data"]
    assert data["num_classes"] == 10
    assert -1 < data["mean"][0] < 0 < data["std"][0] < 1
