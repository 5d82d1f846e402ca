"""Keys on the command line become values of the config, as far as the file is right."""

import json
import os
import subprocess
import sys

import pytest
from runs import ROOT

from gan_jax.command_line import load_config
from gan_jax.errors import InputError

PARSE = """
import json, os, sys
from absl import flags
from gan_jax import command_line
from gan_jax.configuration import to_json
for arguments in json.loads(sys.argv[1]):
    if process := os.fork():  # flags are defined but once in each
        assert os.waitpid(process, 0)[1] == 0
        continue
    command_line.parse(["launch.py", *arguments], "configs/smoke.py")
    assert flags.FLAGS.config.is_locked
    print(json.dumps(to_json(flags.FLAGS.config)))
    break
"""


def parsed(*lines):
    """The config of each command line, a list of its arguments."""
    command = [sys.executable, "-c", PARSE, json.dumps(lines)]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return [json.loads(config) for config in found.stdout.splitlines()]


def test_keys_of_the_file():
    (config,) = parsed(["--config.batch_size=16", "--config.generator.widths=(4,8)"])
    assert config["batch_size"] == 16
    assert config["generator"]["widths"] == [4, 8]


def test_a_field_of_a_network_that_the_file_does_not_name():
    cases = [
        ("mnist_dcgan", "generator", "kernel_size", "3", 3),
        ("cifar10_r3gan", "discriminator", "widths", "(8,4)", [8, 4]),
        ("cifar10_sngan", "discriminator", "spectral", "false", False),
        ("mnist_dcgan", "discriminator", "spectral", "1", True),
        ("ffhq256_stylegan2", "generator", "mixing", "1e-1", 0.1),
        ("cifar10_sngan", "generator", "norm", "instance", "instance"),
    ]
    files = [f"--config=configs/{name}.py" for name, *_ in cases]
    flags = [f"--config.{network}.{field}={text}" for _, network, field, text, _ in cases]
    plains = parsed(*([file] for file in files))
    configs = parsed(*map(list, zip(files, flags, strict=True)))
    for (_, network, field, _, value), plain, config in zip(cases, plains, configs, strict=True):
        assert field not in plain[network]
        found = config[network].pop(field)
        assert (type(found), found) == (type(value), value)
        assert config == plain


def test_a_file_is_read_anew_though_its_size_and_time_are_as_before(tmp_path):
    """As where a script changes a digit within the clock's resolution."""
    file = tmp_path / "mine.py"
    text = "from configs import smoke\n\ndef get_config():\n    config = smoke.get_config()\n"
    for seed in (1, 2):
        file.write_text(f"{text}    config.seed = {seed}\n    return config\n")
        os.utime(file, (1e9, 1e9))
        (config,) = parsed([f"--config={file}"])
        assert config["seed"] == seed
    assert list(tmp_path.iterdir()) == [file]


def test_truth_needs_no_value():
    file = "--config=configs/mnist_dcgan.py"
    flags = [f"--{word}.discriminator.spectral" for word in ("config", "noconfig")]
    configs = parsed(*([file, flag] for flag in flags))
    assert [config["discriminator"]["spectral"] for config in configs] == [True, False]


def test_a_bare_name_of_a_config_tells_its_file(monkeypatch):
    monkeypatch.chdir(ROOT)
    with pytest.raises(InputError, match=r"Did you mean 'configs/mnist_dcgan\.py'"):
        load_config("mnist_dcgan")
