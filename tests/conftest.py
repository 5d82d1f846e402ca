"""Eight virtual CPU devices and one cache of compiled programs, for the tests and what they start.

The environment is set before anything imports jax.
"""

import atexit
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

# On few cores, many virtual devices can wait for each other's turn at an all-reduce for ever: the
# thread pool that runs them has as many threads as NPROC says.
os.environ["NPROC"] = "32"
os.environ["JAX_PLATFORMS"] = "cpu"
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # runs leave behind what they do for a user
_XLA_FLAGS = os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=8"
for name in ("XDG_CACHE_HOME", "TFDS_DATA_DIR"):
    if name not in os.environ:  # the first process makes them, and its workers share them
        os.environ[name] = tempfile.mkdtemp(prefix="gan_jax_tests_")
        atexit.register(shutil.rmtree, os.environ[name], ignore_errors=True)

ROOT = pathlib.Path(__file__).parent.parent

import jax  # noqa: E402
import pytest  # noqa: E402
from forked_launch import Forks  # noqa: E402
from runs import COMPILED_SOON  # noqa: E402

from gan_jax.runtime import cache  # noqa: E402

cache.cache_compiled_programs()


def pytest_configure(config):
    if config.option.markexpr == "not slow":  # programs that run but a few times
        soon = (f"--{name}={str(value).lower()}" for name, value in COMPILED_SOON.items())
        os.environ["XLA_FLAGS"] = " ".join([_XLA_FLAGS, *soon])


def pytest_collection_modifyitems(items):
    """Begins with what takes longest, whole runs: at the end one worker waits for the other."""
    items.sort(key=lambda item: item.path.parent != ROOT / "tests")


@pytest.fixture(scope="session")
def key() -> jax.Array:
    return jax.random.key(0)


@pytest.fixture(scope="session")
def forks(tmp_path_factory):
    """A process that starts `launch.py` in forks."""
    with Forks(tmp_path_factory.mktemp("streams")) as forks:
        yield forks


@pytest.fixture
def launch(forks, tmp_path):
    """Returns `launch(*arguments, devices=1, fresh=False, **environment)`: starts `launch.py`.

    In an empty folder; as a fork, see `forked_launch`, or as a fresh process.
    """

    def start(*arguments, devices=1, fresh=False, **environment):
        flags = os.environ["XLA_FLAGS"].replace("count=8", f"count={devices}")
        environment = {**os.environ, "XLA_FLAGS": flags, **environment}
        if not fresh:
            return forks.launch(*arguments, folder=tmp_path, environment=environment)
        return subprocess.Popen(
            [sys.executable, str(ROOT / "launch.py"), *map(str, arguments)],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


@pytest.fixture
def run(launch):
    """Returns `run(*arguments)`: as `launch`, but waits; gives (status, stdout, stderr)."""

    def wait(*arguments, **options):
        process = launch(*arguments, **options)
        stdout, stderr = process.communicate(timeout=240)
        return process.returncode, stdout, stderr

    return wait
