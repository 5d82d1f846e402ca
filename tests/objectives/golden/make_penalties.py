"""Writes penalties.npz: the penalties and their gradients by the weights, by PyTorch's autograd.

The numbers that the penalties draw come from JAX, by the test; all else is made here, in float64
from float32 inputs:

python -m tests.objectives.test_penalties_torch /tmp/draws.npz      # in JAX's environment
python tests/objectives/golden/make_penalties.py /tmp/draws.npz     # PyTorch 2.13.0, NumPy 2.4.6
"""

import pathlib
import sys

import numpy as np
import torch
from torch.nn import functional

SHAPES = {
    "mlp": {"kernel": [(126, 8), (8, 8), (8, 6), (6, 1)], "gain": 1.5},
    "conv": {"kernel": [(3, 3, 3, 6), (3, 3, 6, 8), (32, 1)], "gain": 1.4},
}


# ---- discriminators ------------------------------------------------------------------------------


def mlp(weights, images):
    x = images.flatten(1)
    x = functional.leaky_relu(x @ weights["kernel_0"] + weights["bias_0"], 0.2)
    x = torch.tanh(x @ weights["kernel_1"] + weights["bias_1"])
    x = functional.leaky_relu(x @ weights["kernel_2"] + weights["bias_2"], 0.2)
    return (x @ weights["kernel_3"] + weights["bias_3"])[:, 0]


def conv(weights, images):
    def layer(x, i):
        kernel = weights[f"kernel_{i}"].permute(3, 2, 0, 1)  # from (H, W, in, out)
        return functional.conv2d(x, kernel, weights[f"bias_{i}"], stride=2, padding=1)

    x = images.permute(0, 3, 1, 2)  # (B, C, 7, 6)
    x = functional.leaky_relu(layer(x, 0), 0.2)  # (B, 6, 4, 3)
    x = torch.tanh(layer(x, 1))  # (B, 8, 2, 2)
    x = x.permute(0, 2, 3, 1).flatten(1)
    return (x @ weights["kernel_2"] + weights["bias_2"])[:, 0]


# ---- penalties -----------------------------------------------------------------------------------


def gradient(discriminate, points):
    points = points.clone().requires_grad_()
    logits = discriminate(points)
    return torch.autograd.grad(logits.sum(), points, create_graph=True)[0].flatten(1)


def penalties(discriminate, inputs):
    real, fake, share = inputs["real"], inputs["fake"], inputs["share"][:, None, None, None]
    between = gradient(discriminate, share * real + (1 - share) * fake).norm(dim=1)
    variance = ((real - real.mean((1, 2, 3), keepdim=True)) ** 2).mean((1, 2, 3), keepdim=True)
    around = gradient(discriminate, real + variance.sqrt() / 2 * inputs["noise"]).norm(dim=1)
    return {
        "r1": (gradient(discriminate, real) ** 2).sum(1) / 2,
        "r2": (gradient(discriminate, fake) ** 2).sum(1) / 2,
        "wgan_gp": (between - 1) ** 2,
        "one_sided_gp": (between - 1).clamp(min=0) ** 2,
        "dragan": (around - 1) ** 2,
        "lecam": (discriminate(real) - inputs["lecam_fake"]) ** 2
        + (discriminate(fake) - inputs["lecam_real"]) ** 2,
    }


# ---- arrays --------------------------------------------------------------------------------------


def random_inputs(random):
    # Each row has its own mean and deviation.
    scale = np.array([0.2, 0.4, 0.6, 0.8, 1.0]).reshape(5, 1, 1, 1)
    real, fake = random.normal(size=(2, 5, 7, 6, 3))
    inputs = {
        "real": scale * real + 0.3,
        "fake": 0.5 * fake - 0.2,
        "lecam_real": 0.7,
        "lecam_fake": -0.4,
    }
    return {name: np.float32(value) for name, value in inputs.items()}


def random_weights(random, kernel, gain):
    weights = {}
    for i, shape in enumerate(kernel):
        deviation = gain / np.sqrt(np.prod(shape[:-1]))
        weights[f"kernel_{i}"] = np.float32(deviation * random.normal(size=shape))
        weights[f"bias_{i}"] = np.float32(0.2 * random.normal(size=shape[-1:]))
    return weights


def tensors(arrays):
    return {name: torch.tensor(array, dtype=torch.float64) for name, array in arrays.items()}


def main():
    random = np.random.default_rng(6)  # of slopes above and below 1, which do not nearly cancel
    with np.load(sys.argv[1]) as draws:
        arrays = random_inputs(random) | dict(draws)
    inputs = tensors(arrays)
    for network in (mlp, conv):
        name = network.__name__
        initial = random_weights(random, **SHAPES[name])
        arrays |= {f"{name}/{weight}": array for weight, array in initial.items()}
        weights = {weight: t.requires_grad_() for weight, t in tensors(initial).items()}
        values = penalties(lambda images, f=network, w=weights: f(w, images), inputs)
        for penalty, value in values.items():
            arrays[f"{name}/{penalty}"] = value.detach().numpy()
            slopes = torch.autograd.grad(
                value.mean(), weights.values(), retain_graph=True, materialize_grads=True
            )
            for weight, slope in zip(weights, slopes, strict=True):
                arrays[f"{name}/{penalty}/{weight}"] = np.float32(slope)
    np.savez_compressed(pathlib.Path(__file__).with_name("penalties.npz"), **arrays)


if __name__ == "__main__":
    main()
