"""Writes inception.npz: the taps of the Inception network of the reference FID, by pytorch-fid.

In float64, from float32 weights that are drawn at random and from images that torch-fidelity
resized as TensorFlow 1 does; torch-fidelity's own network has to agree. Every 13th row and column
of the resized images is kept too, and the names and shapes of the weights.

python tests/models/golden/make_inception.py    # PyTorch 2.13.0, torchvision 0.28.0, NumPy 2.4.6,
                                                # pytorch-fid 0.3.0, torch-fidelity 0.4.0
"""

import json
import pathlib
import tempfile

import numpy as np
import pytorch_fid.inception
import torch
import torchvision
from inception_weights import SHAPES, image, weight
from torch.nn import functional
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
from torch_fidelity.interpolate_compat_tensorflow import interpolate_bilinear_2d_like_tensorflow1x

TAPS = ("64", "192", "768", "2048", "logits_unbiased", "logits")  # torch-fidelity's names


def drawn_weights():
    """By name, in torchvision's order: its network of 1,008 classes has all the weights."""
    network = torchvision.models.inception_v3(
        weights=None, num_classes=1008, aux_logits=False, init_weights=False
    )
    shapes = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    return {name: torch.from_numpy(weight(name, shape)) for name, shape in shapes.items()}


def resized(pixels):
    """(1, 3, H, W) uint8 to (1, 3, 299, 299) float32."""
    return interpolate_bilinear_2d_like_tensorflow1x(
        pixels.to(torch.float32), size=(299, 299), align_corners=False
    )


def taps(network, weights, images):
    """pytorch-fid's network ends before the classifier."""
    maps = network(((images - 128) / 128).to(torch.float64))
    features = [functional.adaptive_avg_pool2d(x, 1)[..., 0, 0] for x in maps]
    kernel, bias = (weights[f"fc.{kind}"].to(torch.float64) for kind in ("weight", "bias"))
    logits = functional.linear(features[-1], kernel)
    return *features, logits, logits + bias


def arrays():
    """What the file holds."""
    weights = drawn_weights()
    pytorch_fid.inception.load_state_dict_from_url = lambda *_, **__: weights  # its network's
    network = pytorch_fid.inception.InceptionV3((0, 1, 2, 3), False, False).to(torch.float64).eval()
    with tempfile.NamedTemporaryFile() as file:
        torch.save(weights, file.name)
        peer = FeatureExtractorInceptionV3("inception-v3", list(TAPS), file.name, "float64")
    shapes = {name: list(tensor.shape) for name, tensor in weights.items()}
    found = {"shapes": np.array(json.dumps(shapes))}
    for shape in SHAPES:
        name = "{}x{}x{}".format(*shape)
        pixels = torch.from_numpy(image(shape)).permute(2, 0, 1).expand(3, -1, -1)[None]
        images = resized(pixels)
        found[f"{name}/resized"] = images[0, :, ::13, ::13].permute(1, 2, 0).numpy()
        expected, theirs = taps(network, weights, images), peer(pixels)
        for tap, values, their_values in zip(TAPS, expected, theirs, strict=True):
            found[f"{name}/{tap}"] = np.float32(values[0])
            # Theirs places pixels in float64 and not in float32.
            scale = values.abs().max()
            assert (values - their_values).abs().max() < 1e-6 * scale, (name, tap)
    return found


if __name__ == "__main__":
    with torch.no_grad():
        np.savez_compressed(pathlib.Path(__file__).with_name("inception.npz"), **arrays())
