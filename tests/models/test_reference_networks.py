"""The networks against those of the papers' authors, and for SNGAN mimicry's.

`golden/make_networks.py` wrote the expected numbers, and says how. Counts of parameters cannot see
how often a discriminator halves, nor which part of a latent a block reads.
"""

import json
import pathlib
import runpy

import jax
import numpy as np
import pytest
from flax.traverse_util import flatten_dict, unflatten_dict
from runs import quick_jit

from gan_jax.models.families import FAMILIES

GOLDEN = pathlib.Path(__file__).parent / "golden"
DRAWN = runpy.run_path(str(GOLDEN / "network_weights.py"))
CASES = DRAWN["CASES"]
NAMES = [
    pytest.param(name, marks=pytest.mark.slow) if case.size > 32 else name
    for name, case in CASES.items()
]


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN / "networks.npz") as arrays:
        return dict(arrays)


def weights(network, inputs, expected):
    """Variables for a network; by path and shape they have to be those of the reference."""
    shapes = jax.eval_shape(lambda: network.init(jax.random.key(0), *inputs, train=False))
    shapes = {keys: leaf.shape for keys, leaf in flatten_dict(shapes).items()}
    drawn = DRAWN["weights"]({"/".join(path): shape for (_, *path), shape in shapes.items()})
    found = {path: list(array.shape) for path, array in drawn.items() if not path.endswith("/u")}
    assert found == json.loads(str(expected))
    return unflatten_dict({keys: drawn["/".join(keys[1:])] for keys in shapes})


def assert_close(found, expected):
    assert (found.dtype, found.shape) == (np.float32, expected.shape)
    error = np.abs(found - expected).max() / np.abs(expected).max()
    assert error <= 1e-5, error


@pytest.mark.parametrize("name", NAMES)
def test_images_are_those_of_the_reference(name, golden):
    case, inputs = CASES[name], (DRAWN["latents"](name), DRAWN["labels"](name))
    shape = (case.size, case.size, 3)
    network = FAMILIES[case.family].generator(shape, num_classes=case.classes, **case.generator)
    variables = weights(network, inputs, golden[f"{name}/generator"])
    outputs = {"images": {}}
    if case.family == "stylegan2":
        outputs["truncated"] = {"truncation": DRAWN["TRUNCATION"]}
    for output, options in outputs.items():
        run = quick_jit(lambda *args, options=options: network.apply(*args, train=False, **options))
        assert_close(DRAWN["kept"](run(variables, *inputs)), golden[f"{name}/{output}"])


@pytest.mark.parametrize("name", NAMES)
def test_logits_are_those_of_the_reference(name, golden):
    case, inputs = CASES[name], (DRAWN["images"](name), DRAWN["labels"](name))
    network = FAMILIES[case.family].discriminator(
        num_classes=case.classes, conditioning="projection", **case.discriminator
    )
    variables = weights(network, inputs, golden[f"{name}/discriminator"])
    run = quick_jit(lambda *args: network.apply(*args, train=False).logits)
    assert_close(run(variables, *inputs), golden[f"{name}/logits"])
