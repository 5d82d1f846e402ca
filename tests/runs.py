"""Short runs for the tests, and reading what a run left."""

import json
import pathlib

import jax
import numpy as np
import orbax.checkpoint as ocp

from gan_jax.command_line import load_config
from gan_jax.runtime.checkpoint import Checkpoints

ROOT = pathlib.Path(__file__).parent.parent
SMOKE = f"--config={ROOT / 'configs' / 'smoke.py'}"


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
