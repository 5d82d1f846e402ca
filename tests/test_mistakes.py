"""Every mistake a user can make ends in one line and status 2, with nothing half-written."""

import subprocess
import sys

import pytest
from runs import ROOT

SMOKE, DCGAN = "--config=configs/smoke.py", "--config=configs/mnist_dcgan.py"


DEFAULT = (
    "from configs import default\n\ndef get_config():\n    config = default.get_config()\n    {}\n"
)
CONFIG_FILES = {
    "broken.py": "def get_config(:\n",
    "misspelt.py": DEFAULT.format("config.totl_steps = 5; return config"),
    "typed.py": DEFAULT.format("config.total_steps = 'many'; return config"),
    "key_error.py": DEFAULT.format("return {}['missing']"),
    "nothing.py": "",
    "lacking.py": DEFAULT.format("config.unlock(); del config.ema; return config"),
    "more.py": DEFAULT.format("config.unlock(); config.data.nmae = 'x'; return config"),
    "anew.py": DEFAULT.format("return type(config)(config.to_dict() | {'seed': 'x'})"),
    "width.py": DEFAULT.format("config.discriminator.widths = None; return config"),
    "none.py": DEFAULT.format("config.generator.activation = None; return config"),
    "field.py": DEFAULT.format("config.unlock(); config.generator.width = 3; return config"),
}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty folder with the configs beside, and the few things that a mistake may be about."""
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    for name, text in CONFIG_FILES.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "empty").mkdir()
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "checkpoints").write_text("in the way")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("no picture, and does not say so")
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.png").write_text("not a picture")
    (tmp_path / "file").write_text("in the way")
    return tmp_path


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def assert_refused(result, *words):
    status, stdout, stderr = result
    assert status == 2, (status, stderr)
    assert stdout == ""
    lines = stderr.strip().splitlines()
    while lines[0].startswith("Preparing "):  # progress, before the mistake shows
        lines.pop(0)
    assert len(lines) == 1, stderr
    assert lines[0].startswith("launch.py: ")
    for word in words:
        assert word in lines[0], lines[0]


MISTAKES = {
    "parts that do not suit": (
        [SMOKE, "--config.generator.norm=batch", "--config.generator_penalties.path_length=1"],
        ["path_length", "batch normalization"],
    ),
    "misspelt key": ([SMOKE, "--config.totl_steps=3"], ["totl_steps", "'total_steps'"]),
    "misspelt inner key": ([SMOKE, "--config.data.nam=x"], ["data.nam", "'data.name'"]),
    "misspelt flag": ([SMOKE, "--wokdir=x"], ["wokdir", "workdir"]),
    "wrong type": ([SMOKE, "--config.total_steps=many"], ["config.total_steps", "many"]),
    "wrong type in a tuple": ([SMOKE, "--config.generator.widths=a,b"], ["widths", "'a,b'"]),
    "missing config": (["--config=configs/smok.py"], ["configs/smok.py", "configs/smoke.py"]),
    "broken config": (["--config=broken.py"], ["broken.py", "SyntaxError"]),
    "misspelt in a config": (["--config=misspelt.py"], ["misspelt.py", '"total_steps"']),
    "wrong type in a config": (["--config=typed.py"], ["typed.py", "total_steps", "many"]),
    "error in a config": (["--config=key_error.py"], ["key_error.py", "KeyError", "missing"]),
    "no get_config": (["--config=nothing.py"], ["nothing.py", "no function get_config()"]),
    "config without a key": (["--config=lacking.py"], ["lacking.py", "ema."]),
    "config with an odd key": (["--config=more.py"], ["data.nmae", "'data.name'"]),
    "config of other types": (["--config=anew.py"], ["anew.py", "seed", "'x'"]),
    "no field of the network": (["--config=field.py"], ["generator.width", "'widths'"]),
    "misspelt field": ([DCGAN, "--config.generator.kernelsize=8"], ["'generator.kernel_size'"]),
    "wrong type of a field": ([DCGAN, "--config.generator.kernel_size=wide"], ["'wide'", "4"]),
    "field without a value": (
        [DCGAN, "--config.generator.kernel_size", "3"],
        ["kernel_size=VALUE"],
    ),
    "field of no size": ([DCGAN, "--config.generator.kernel_size=0"], ["kernel_size", "0"]),
    "field of another family": (
        [DCGAN, "--config.generator.family=r3gan", "--config.generator.blocks=1"],
        ["generator.", "r3gan has no such field", "begin with a config"],
    ),
    "no widths": (["--config=width.py"], ["width.py", "discriminator.widths", "None"]),
    "no activation": (["--config=none.py"], ["none.py", "generator.activation", "None"]),
    "large picture": ([SMOKE, "--config.data.image_size=100000"], ["image_size", "8193"]),
    "checkpoints in the way": ([SMOKE, "--workdir=odd"], ["odd/checkpoints", "move it away"]),
    "sampling from a file": (["--mode=sample", "--workdir=odd"], ["odd/checkpoints", "move it"]),
    "large seed": ([SMOKE, "--config.seed=4294967296"], ["config.seed", "4294967296"]),
    "unknown mode": (["--mode=trian"], ["mode", "trian", "train"]),
    "stray word": ([SMOKE, "train"], ["'train'", "--name=value"]),
    "unknown choice": ([SMOKE, "--config.loss=relativstic"], ["relativstic", "'relativistic'"]),
    "unknown penalty": ([SMOKE, "--config.penalties.r3=1."], ["penalties.r3", "'penalties.r"]),
    "interval": ([SMOKE, "--config.log_every=3"], ["log_every", "steps_per_call"]),
    "negative": ([SMOKE, "--config.batch_size=-8"], ["batch_size", "-8"]),
    "batch and devices": ([SMOKE, "--config.batch_size=12"], ["batch_size", "8 devices", "try 16"]),
    "unknown data": ([SMOKE, "--config.data.name=mnist_5m"], ["mnist_5m", "mnist_5k"]),
    "empty folder": (
        [SMOKE, "--config.data.name=folder:empty", "--config.data.image_size=8"],
        ["empty"],
    ),
    "folder without images": (
        [SMOKE, "--config.data.name=folder:notes", "--config.data.image_size=8"],
        ["notes", "holds no images"],
    ),
    "folder of unreadable images": (
        [SMOKE, "--config.data.name=folder:texts", "--config.data.image_size=8"],
        ["1 of 1 images", "texts/a.png (not an image)"],
    ),
    "missing folder": (
        [SMOKE, "--config.data.name=folder:none", "--config.data.image_size=8"],
        ["none"],
    ),
    "no classes": (
        [SMOKE, "--config.data.name=toy:swissroll", "--config.conditional=True"],
        ["conditional"],
    ),
    "workdir below a file": ([SMOKE, "--workdir=file/run"], ["file/run"]),
    "sampling from nothing": (["--mode=sample", "--workdir=empty"], ["empty", "no checkpoint"]),
    "no samples": (["--mode=sample", "--workdir=empty", "--num_samples=0"], ["num_samples", "0"]),
    "odd output": (["--mode=sample", "--workdir=empty", "--output=a.jpg"], ["a.jpg", ".npz"]),
    "large sampling seed": (["--mode=sample", "--seed=4294967296"], ["seed", "4294967295"]),
    "inspecting below a file": ([SMOKE, "--mode=inspect", "--workdir=file/run"], ["file/run"]),
    "half a process": ([SMOKE, "--num_processes=2"], ["--coordinator"]),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_line_and_writes_nothing(name, run, folder):
    arguments, words = MISTAKES[name]
    before = files(folder)
    refused = run(*arguments, devices=8, TFDS_DATA_DIR=str(folder / "data"))
    assert_refused(refused, *words)
    assert files(folder) == before


def test_so_it_is_in_a_fresh_process(run, folder):
    arguments, words = MISTAKES["misspelt key"]
    assert_refused(run(*arguments, fresh=True), *words)


def test_mistakes_around_an_existing_run(run, folder):
    workdir = f"--workdir={folder / 'run'}"
    assert run(SMOKE, workdir, "--config.total_steps=4")[0] == 0

    # Another config: every key that differs is named, neutral ones are not.
    changed = [SMOKE, workdir, "--config.loss=non_saturating", "--config.batch_size=16"]
    before = files(folder)
    refused = run(*changed, "--config.log_every=2", "--config.total_steps=6")
    assert_refused(refused, "loss", "batch_size", "--config_change=allow")
    assert "log_every" not in refused[2]
    assert "total_steps" not in refused[2]

    # Labels, for networks without classes.
    sample = ["--mode=sample", workdir, "--output=x.npz"]
    assert_refused(run(*sample, "--labels=1"), "--labels", "no classes")
    assert files(folder) == before

    # Another run holds the folder.
    holder = "import sys, time\nfrom gan_jax.runtime.workdir import lock\n" + (
        "with lock(sys.argv[1]):\n    print('held', flush=True)\n    time.sleep(60)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", holder, str(folder / "run")], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    assert_refused(run(SMOKE, workdir, "--config.total_steps=8"), "in use", str(process.pid))
    process.kill()
    process.communicate()
    assert run(SMOKE, workdir, "--config.total_steps=6")[0] == 0

    # With leave, the changed config goes on.
    assert run(*changed, "--config.total_steps=8", "--config_change=allow")[0] == 0


def test_labels_out_of_range(run, folder):
    workdir = f"--workdir={folder / 'run'}"
    assert run(SMOKE, workdir, "--config.total_steps=2", "--config.conditional=True")[0] == 0
    before = files(folder)
    sample = ["--mode=sample", workdir, "--output=x.npz"]
    assert_refused(run(*sample, "--labels=3,10"), "--labels", "10", "0 to 9")
    assert_refused(run(*sample, "--labels=three"), "--labels", "three")
    assert files(folder) == before
