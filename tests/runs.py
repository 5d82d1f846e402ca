"""Short runs for the tests, and reading what a run left."""

import json
import math
import pathlib

import jax
import numpy as np
import orbax.checkpoint as ocp

from gan_jax.command_line import load_config
from gan_jax.runtime.checkpoint import Checkpoints

ROOT = pathlib.Path(__file__).parent.parent
SMOKE = f"--config={ROOT / 'configs' / 'smoke.py'}"


COMPILED_SOON = {"xla_backend_optimization_level": 0}
if jax.__version_info__ < (0, 11):  # later ones have no such options
    COMPILED_SOON |= {
        "xla_cpu_use_fusion_emitters": False,
        "xla_cpu_parallel_codegen_split_count": 1,
    }
"""The compiler's options for programs that are soon ready, and slow."""


def quick_jit(function, **options):
    """`jax.jit` for programs that run but once: compiled in a fraction of the time."""
    return jax.jit(function, compiler_options=COMPILED_SOON, **options)


def smoke(**overrides):
    """The smoke config with keys changed, dotted ones in a dict: `**{"data.name": ...}`."""
    config = load_config(str(ROOT / "configs" / "smoke.py"))
    config.update_from_flattened_dict(overrides)
    return config


def lines(workdir):
    """The objects of `metrics.jsonl`."""
    return [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]


def final_state(workdir):
    """The newest step, and every array of its checkpoint by path."""
    with Checkpoints(workdir / "checkpoints") as checkpoints:
        step = checkpoints.steps()[-1]
    folder = (workdir / "checkpoints" / str(step) / "state").resolve()
    tree = ocp.PyTreeCheckpointHandler().restore(folder, args=ocp.args.PyTreeRestore())
    paths = jax.tree_util.tree_leaves_with_path(tree)
    return step, {jax.tree_util.keystr(path): np.asarray(leaf) for path, leaf in paths}


_NARROW = {
    "mlp": {"widths": (16,)},
    "dcgan": {"width": 4},
    "sngan": {"width": 2},
    "sagan": {"width": 2},
    "biggan": {"width": 2},
    "biggan_deep": {"width": 2, "initialization": "glorot"},  # others take minutes to compile
    "unet": {"width": 2},
    "r3gan": {"width": 4, "widths": (), "group_size": 4, "blocks": 1},
    "stylegan2": {"width": 4},
}


def shrunken(config):
    """A config with narrow networks, small batches, and one update of each network a step."""
    config = config.copy_and_resolve_references()
    for network in (config.generator, config.discriminator):
        with network.unlocked():
            network.update(_NARROW[network.family])
    config.batch_size, config.d_steps = 8, 1
    return config.lock()


def drawn(gan, shape, *, batch=8, classes=3, steps=2, seed=0):
    """A batch for each step, of random images and labels."""
    random = np.random.default_rng(seed)
    rows = (gan.minibatches, batch)
    for _ in range(steps):
        yield {
            "image": np.float32(random.uniform(-1, 1, (*rows, *shape))),
            "label": np.int32(random.integers(0, classes, rows)),
            "index": np.arange(math.prod(rows), dtype=np.int32).reshape(rows),
        }


def spread(batch, devices=4):
    """From (minibatches, rows, ...) to (devices, minibatches, rows, ...), every array."""

    def one(x):
        return np.moveaxis(x.reshape(len(x), devices, -1, *x.shape[2:]), 1, 0)

    return jax.tree.map(one, batch)
