"""Writes generator_penalties.npz: penalties that need a generator, by PyTorch's autograd.

Their values, and the gradients by the weights that they train: path length and latent diversity the
generator's, latent consistency the discriminator's. The numbers that they draw come from JAX, by
the test; all else is made here, in float64 from float32 inputs:

python -m tests.objectives.test_generator_penalties_torch /tmp/draws.npz    # in JAX's environment
python tests/objectives/golden/make_generator_penalties.py /tmp/draws.npz
                                                                # PyTorch 2.13.0, NumPy 2.4.6
"""

import math
import pathlib
import sys

import numpy as np
import torch
from torch.nn import functional

SHAPES = {
    "mlp": [(5, 8), (8, 8), (8, 72)],
    "conv": [(5, 24), (3, 3, 4, 5), (3, 3, 5, 3)],
    "judge": [(72, 6), (6, 1)],
}


# ---- networks ------------------------------------------------------------------------------------


def mlp(weights, z):
    """Latents (B, 5) to images (B, 6, 4, 3)."""
    x = torch.tanh(z @ weights["kernel_0"] + weights["bias_0"])
    x = functional.leaky_relu(x @ weights["kernel_1"] + weights["bias_1"], 0.2)
    return torch.tanh(x @ weights["kernel_2"] + weights["bias_2"]).reshape(-1, 6, 4, 3)


def conv(weights, z):
    """Latents (B, 5) to images (B, 6, 4, 3)."""

    def layer(x, i):
        kernel = weights[f"kernel_{i}"].permute(3, 2, 0, 1)  # from (H, W, in, out)
        return functional.conv2d(x, kernel, weights[f"bias_{i}"], padding=1)

    x = torch.tanh(z @ weights["kernel_0"] + weights["bias_0"])
    x = x.reshape(-1, 3, 2, 4).permute(0, 3, 1, 2)  # (B, C, 3, 2)
    x = functional.interpolate(x, scale_factor=2, mode="nearest")  # (B, C, 6, 4)
    x = functional.softplus(layer(x, 1))
    return torch.tanh(layer(x, 2)).permute(0, 2, 3, 1)


def judge(weights, images):
    """Images (B, 6, 4, 3) to logits (B,)."""
    x = torch.tanh(images.flatten(1) @ weights["kernel_0"] + weights["bias_0"])
    return (x @ weights["kernel_1"] + weights["bias_1"])[:, 0]


# ---- penalties -----------------------------------------------------------------------------------


def path_lengths(generate, inputs):
    z = inputs["z"].clone().requires_grad_()
    images = generate(z)
    y = inputs["direction"] / math.sqrt(images.shape[1] * images.shape[2])
    return torch.autograd.grad((images * y).sum(), z, create_graph=True)[0].norm(dim=1)


def of_generator(generate, inputs):
    moved = inputs["z"] + inputs["deviation"] * inputs["perturbation"]
    lengths = path_lengths(generate, inputs)
    return {
        "path_length": (lengths - inputs["path_average"]) ** 2,
        "path_lengths": lengths,
        "latent_diversity": -((generate(inputs["z"]) - generate(moved)) ** 2).sum((1, 2, 3)),
    }


def of_discriminator(discriminate, generate, inputs):
    moved = inputs["z"] + inputs["deviation"] * inputs["perturbation"]
    change = discriminate(generate(inputs["z"])) - discriminate(generate(moved))
    return {"latent_consistency": change**2}


# ---- arrays --------------------------------------------------------------------------------------


def random_weights(random, shapes):
    weights = {}
    for i, shape in enumerate(shapes):
        deviation = 1.5 / np.sqrt(np.prod(shape[:-1]))
        weights[f"kernel_{i}"] = np.float32(deviation * random.normal(size=shape))
        weights[f"bias_{i}"] = np.float32(0.2 * random.normal(size=shape[-1:]))
    return weights


def tensors(arrays):
    return {name: torch.tensor(array, dtype=torch.float64) for name, array in arrays.items()}


def main():
    random = np.random.default_rng(7)
    with np.load(sys.argv[1]) as draws:
        arrays = dict(draws)
    inputs = {"z": random.normal(size=(5, 5)), "path_average": 0.65, "deviation": 0.3}
    arrays |= {name: np.float32(value) for name, value in inputs.items()}
    inputs = tensors(arrays)
    weights = {}
    for name, shapes in SHAPES.items():
        initial = random_weights(random, shapes)
        arrays |= {f"{name}/{weight}": array for weight, array in initial.items()}
        weights[name] = {weight: t.requires_grad_() for weight, t in tensors(initial).items()}

    def write(network, values, trained):
        for penalty, value in values.items():
            arrays[f"{network}/{penalty}"] = value.detach().numpy()
            slopes = torch.autograd.grad(value.mean(), trained.values(), retain_graph=True)
            for weight, slope in zip(trained, slopes, strict=True):
                arrays[f"{network}/{penalty}/{weight}"] = np.float32(slope)

    for network in (mlp, conv):
        name = network.__name__

        def generate(z, network=network, name=name):
            return network(weights[name], z)

        def discriminate(images):
            return judge(weights["judge"], images)

        write(name, of_generator(generate, inputs), weights[name])
        write(name, of_discriminator(discriminate, generate, inputs), weights["judge"])
    target = pathlib.Path(__file__).with_name("generator_penalties.npz")
    np.savez_compressed(target, **arrays)


if __name__ == "__main__":
    main()
