"""Keys on the command line become values of the config, as far as the file is right."""

import json
import subprocess
import sys

import pytest
from runs import ROOT

PARSE = """
import json, sys
from absl import flags
from gan_jax import command_line
from gan_jax.configuration import to_json
command_line.parse(sys.argv, "configs/smoke.py")
assert flags.FLAGS.config.is_locked
print(json.dumps(to_json(flags.FLAGS.config)))
"""


def parsed(*arguments):
    """The config, from a process of its own: flags are defined but once in each."""
    command = [sys.executable, "-c", PARSE, *arguments]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return json.loads(found.stdout)


def test_keys_of_the_file():
    config = parsed("--config.batch_size=16", "--config.generator.widths=(4,8)")
    assert config["batch_size"] == 16
    assert config["generator"]["widths"] == [4, 8]


@pytest.mark.parametrize(
    ("name", "network", "field", "text", "value"),
    [
        ("mnist_dcgan", "generator", "kernel_size", "3", 3),
        ("cifar10_r3gan", "discriminator", "widths", "(8,4)", [8, 4]),
        ("cifar10_sngan", "discriminator", "spectral", "false", False),
        ("mnist_dcgan", "discriminator", "spectral", "1", True),
        ("ffhq256_stylegan2", "generator", "mixing", "1e-1", 0.1),
        ("cifar10_sngan", "generator", "norm", "instance", "instance"),
    ],
)
def test_a_field_of_a_network_that_the_file_does_not_name(name, network, field, text, value):
    plain = parsed(f"--config=configs/{name}.py")
    assert field not in plain[network]
    config = parsed(f"--config=configs/{name}.py", f"--config.{network}.{field}={text}")
    assert config[network].pop(field) == value
    assert config == plain


def test_truth_needs_no_value():
    for word, value in (("config", True), ("noconfig", False)):
        config = parsed("--config=configs/mnist_dcgan.py", f"--{word}.discriminator.spectral")
        assert config["discriminator"]["spectral"] is value
