"""Eight virtual CPU devices and one cache of compiled programs, for the tests and what they start.

The environment is set before anything imports jax.
"""

import os
import pathlib
import tempfile

# On few cores, many virtual devices can wait for each other's turn at an all-reduce for ever: the
# thread pool that runs them has as many threads as NPROC says.
os.environ["NPROC"] = "32"
os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=8"
os.environ.setdefault("XDG_CACHE_HOME", tempfile.mkdtemp(prefix="gan_jax_cache_"))
os.environ.setdefault("TFDS_DATA_DIR", tempfile.mkdtemp(prefix="gan_jax_data_"))

ROOT = pathlib.Path(__file__).parent.parent

import jax  # noqa: E402
import pytest  # noqa: E402

from gan_jax.runtime import cache  # noqa: E402

cache.cache_compiled_programs()


@pytest.fixture(scope="session")
def key() -> jax.Array:
    return jax.random.key(0)
