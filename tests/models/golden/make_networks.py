"""Writes networks.npz: images and logits of the networks of the papers' authors and of mimicry.

In float64 and in evaluation mode, from the float32 weights of `network_weights.py`, without noise;
the shapes of the weights by their paths in Flax are kept too. It reads the folders of

- brownvc/R3GAN at 19a7ddf463fbac2bd39b4c1c73d63f1c441c7403,
- NVlabs/stylegan2-ada-pytorch at d72cc7d041b42ec8e806021a205ed9349f87c6a4,
- ajbrock/BigGAN-PyTorch at 98459431a5d618d644d54cd1e9fceb1e5045648d,
- kwotsin/mimicry at a7fda06c4aff1e6af8dc4c4a35ed6636e434c766, for SNGAN, whose authors used
  Chainer. Where it departs from them it is set right: blocks repeat pixels and do not interpolate
  them, and no ReLU writes over what a shortcut reads.

python tests/models/golden/make_networks.py R3GAN_FOLDER STYLEGAN2_ADA_FOLDER BIGGAN_FOLDER \
    MIMICRY_FOLDER    # PyTorch 2.14.1, NumPy 2.4.6
"""

import functools
import importlib
import json
import pathlib
import sys
import types
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

import network_weights as drawn
import numpy as np
import torch
from torch import nn
from torch.nn import functional

FILTERS = ("resample_filter", "Kernel")
NOT_DRAWN = (*FILTERS, "u0", "sv0", "weight_u", "weight_v", "noise_const", "num_batches_tracked")
NOT_NEEDED = {  # what the repositories import and what is not used here
    "requests": {},
    "pkg_resources": {"parse_version": torch.torch_version.TorchVersion},
}


class Network(NamedTuple):
    """A network in PyTorch, and how to run it.

    `paths(tensors)` takes arrays by their names in PyTorch to arrays by their paths in Flax;
    `run(x, labels)` returns images (B, 3, H, W) or logits.
    """

    module: nn.Module
    paths: Callable[..., dict[str, np.ndarray]]
    run: Callable[..., torch.Tensor]


class Counted:
    """Numbers Flax's layers: `of("Conv")` is Conv_0, then Conv_1."""

    def __init__(self):
        self.counts = Counter()

    def of(self, kind):
        self.counts[kind] += 1
        return f"{kind}_{self.counts[kind] - 1}"


def imported(folder, name):
    """A module of a repository; others may have the same names."""
    for known in list(sys.modules):
        if known.partition(".")[0] in ("dnnlib", "torch_utils", "training"):
            del sys.modules[known]
    for known, members in NOT_NEEDED.items():
        sys.modules.setdefault(known, types.SimpleNamespace(**members))
    sys.path.insert(0, str(folder))
    module = importlib.import_module(name)
    sys.path.pop(0)
    return module


def changed(module, **members):
    """A module with other members, for code that uses it by its name."""
    return types.SimpleNamespace(**vars(module) | members)


def one_hot(case, labels):
    """(B, K), where K is 0 without classes."""
    if labels is None:
        return torch.zeros(case.batch, 0, dtype=torch.float64)
    return functional.one_hot(labels, case.classes).to(torch.float64)


# R3GAN


def r3gan(folder, case):
    """Its generator and discriminator."""
    networks = imported(folder, "training.networks")
    options = {
        "BlocksPerStage": [2] * len(case.generator["widths"]),
        "ExpansionFactor": 2,
        "FP16Stages": [],
        "c_dim": case.classes or 0,
        "img_resolution": case.size,
    }
    generator = networks.Generator(
        NoiseDimension=case.latent, **_r3gan_widths(case, case.generator, 1), **options
    )
    discriminator = networks.Discriminator(**_r3gan_widths(case, case.discriminator, -1), **options)
    for module in (generator, discriminator):
        for stage in module.Model.MainLayers:
            stage.DataType = torch.float64
    return [
        Network(module, paths, lambda x, labels, module=module: module(x, one_hot(case, labels)))
        for module, paths in (
            (generator, r3gan_generator_paths),
            (discriminator, r3gan_discriminator_paths),
        )
    ]


def _r3gan_widths(case, fields, step):
    widths = fields["widths"][::step]
    options = {
        "WidthPerStage": widths,
        "CardinalityPerStage": [2 * width // fields["group_size"] for width in widths],
    }
    if case.classes:
        options["ConditionEmbeddingDimension"] = fields.get("class_embedding", widths[-1])
    return options


def r3gan_generator_paths(tensors):
    stages, counted = _r3gan_stages(tensors), Counted()
    found = {
        "basis": tensors[f"{stages[0]}0.Basis"].transpose(1, 2, 0),
        "Dense_0/kernel": tensors[f"{stages[0]}0.LinearLayer.weight"].T,
    }
    for stage in stages:
        found |= _r3gan_change(tensors, f"{stage}0.", counted)
        for block in (1, 2):
            found |= _r3gan_block(tensors, f"{stage}{block}.", counted)
    found[f"{counted.of('Conv')}/kernel"] = conv(tensors["Model.AggregationLayer.Layer.weight"])
    return found | _r3gan_table(tensors)


def r3gan_discriminator_paths(tensors):
    stages, counted = _r3gan_stages(tensors), Counted()
    found = {
        f"{counted.of('Conv')}/kernel": conv(tensors["Model.ExtractionLayer.Layer.weight"]),
        "filters": tensors[f"{stages[-1]}2.Basis.weight"][:, 0].transpose(1, 2, 0),
        "Dense_0/kernel": tensors[f"{stages[-1]}2.LinearLayer.weight"].T,
    }
    for stage in stages:
        for block in (0, 1):
            found |= _r3gan_block(tensors, f"{stage}{block}.", counted)
        found |= _r3gan_change(tensors, f"{stage}2.", counted)
    return found | _r3gan_table(tensors)


def _r3gan_stages(tensors):
    count = len({name.split(".")[2] for name in tensors if ".MainLayers." in name})
    return [f"Model.MainLayers.{stage}.Layers." for stage in range(count)]


def _r3gan_change(tensors, name, counted):
    kernel = tensors.get(f"{name}LinearLayer.Layer.weight")
    return {} if kernel is None else {f"{counted.of('Conv')}/kernel": conv(kernel)}


def _r3gan_block(tensors, name, counted):
    block, found = counted.of("Block"), {}
    for layer in range(3):
        kernel = tensors[f"{name}LinearLayer{layer + 1}.Layer.weight"]
        found[f"{block}/Conv_{layer}/kernel"] = conv(kernel)
    for layer in range(2):
        found[f"{block}/Conv_{layer}/bias"] = tensors[f"{name}NonLinearity{layer + 1}.Bias"]
    return found


def _r3gan_table(tensors):
    table = tensors.get("Model.EmbeddingLayer.weight")
    return {} if table is None else {"Embed_0/embedding": table.T}


# StyleGAN2


def stylegan2(folder, case):
    """Its generator and discriminator."""
    networks = imported(folder, "training.networks")
    fields, judge = case.generator, case.discriminator
    group = judge["minibatch_group"]
    generator = networks.Generator(
        z_dim=case.latent,
        c_dim=case.classes or 0,
        w_dim=fields["style_width"],
        img_resolution=case.size,
        img_channels=3,
        mapping_kwargs={"num_layers": fields["mapping_layers"]},
        synthesis_kwargs=_stylegan2_widths(fields),
    )
    discriminator = networks.Discriminator(
        c_dim=case.classes or 0,
        img_resolution=case.size,
        img_channels=3,
        architecture="resnet" if judge["residual"] else "orig",
        cmap_dim=judge["style_width"],
        mapping_kwargs={"num_layers": judge["mapping_layers"]} if case.classes else {},
        epilogue_kwargs={"mbstd_group_size": group},
        **_stylegan2_widths(judge),
    )
    networks.torch = changed(torch, float32=torch.float64)  # where it casts
    order = np.arange(case.batch).reshape(group, -1).T.ravel()  # of rows: groups, one by one

    def judged(x, labels):
        rows = np.argsort(order)
        return discriminator(x[rows], one_hot(case, labels)[rows])[order]

    def made(z, labels, truncation=1):
        classes = one_hot(case, labels)
        return generator(z, classes, truncation_psi=truncation, noise_mode="none")

    return [
        Network(generator, stylegan2_generator_paths, made),
        Network(discriminator, stylegan2_discriminator_paths, judged),
    ]


def _stylegan2_widths(fields):
    return {"channel_base": fields["channel_base"], "channel_max": fields["width"]}


def stylegan2_generator_paths(tensors):
    counted, found = Counted(), _mapping(tensors, "style_of")
    found["mean"] = tensors["mapping.w_avg"]
    found["image_of/first"] = tensors["synthesis.b4.const"].transpose(1, 2, 0)
    for stage, block in enumerate(_blocks(tensors, "synthesis.")):
        for name in (f"{block}.conv0", f"{block}.conv1"):
            if f"{name}.weight" in tensors:
                path = f"image_of/{counted.of('StyledConv')}"
                found |= _modulated(tensors, name, f"{path}/ModulatedConv_0")
                found[f"{path}/bias"] = tensors[f"{name}.bias"]
                found[f"{path}/strength"] = tensors[f"{name}.noise_strength"]
        found |= _modulated(tensors, f"{block}.torgb", f"image_of/ModulatedConv_{stage}")
        found[f"image_of/bias_{stage}"] = tensors[f"{block}.torgb.bias"]
    return found


def stylegan2_discriminator_paths(tensors):
    counted, found = Counted(), _mapping(tensors, "Mapping_0")
    for block in reversed(_blocks(tensors)):
        for layer in ("fromrgb", "conv0", "conv1", "skip", "conv"):
            if f"{block}.{layer}.weight" in tensors:
                found |= _layer(tensors, f"{block}.{layer}", counted.of("EqualizedConv"))
    found["EqualizedDense_0/kernel"] = channels_last(tensors["b4.fc.weight"], 4).T
    found["EqualizedDense_0/bias"] = tensors["b4.fc.bias"]
    return found | _layer(tensors, "b4.out", "EqualizedDense_1")


def _blocks(tensors, prefix=""):
    """The blocks' names, from the least size on."""
    names = {name.removeprefix(prefix).partition(".")[0] for name in tensors}
    sizes = sorted(int(name[1:]) for name in names if name[0] == "b")
    return [f"{prefix}b{size}" for size in sizes]


def _mapping(tensors, path):
    """The embedding of the class is the first layer; without a mapping there are none."""
    names = ["mapping.embed", *(f"mapping.fc{layer}" for layer in range(8))]
    names = [name for name in names if f"{name}.weight" in tensors]
    found = {}
    for layer, name in enumerate(names):
        found |= _layer(tensors, name, f"{path}/EqualizedDense_{layer}")
    return found


def _modulated(tensors, name, path):
    affine = _layer(tensors, f"{name}.affine", f"{path}/EqualizedDense_0")
    return {f"{path}/kernel": conv(tensors[f"{name}.weight"])} | affine


# BigGAN, BigGAN-deep and SNGAN


def biggan(folder, case):
    """Its generator and discriminator, or those of BigGAN-deep."""
    networks = imported(folder, "BigGANdeep" if case.family == "biggan_deep" else "BigGAN")
    generator = networks.Generator(
        G_ch=case.generator["width"],
        dim_z=case.latent,
        resolution=case.size,
        G_attn=str(case.generator["attention"]),
        n_classes=case.classes,
        shared_dim=case.generator["shared_embedding"],
        hier=True,
        no_optim=True,
    )
    discriminator = networks.Discriminator(
        D_ch=case.discriminator["width"],
        resolution=case.size,
        D_attn=str(case.discriminator["attention"]),
        n_classes=case.classes,
    )
    return [
        Network(
            generator,
            functools.partial(resnet_paths, generator),
            lambda z, labels: generator(z, generator.shared(labels)),
        ),
        Network(discriminator, functools.partial(resnet_paths, discriminator), discriminator),
    ]


def sngan(folder, case):
    """Its generator and discriminator."""
    package = sys.modules["torch_mimicry"] = types.ModuleType("torch_mimicry")
    package.__path__ = [f"{folder}/torch_mimicry"]  # without its training
    networks = importlib.import_module(f"torch_mimicry.nets.sngan.sngan_{case.size}")
    blocks = importlib.import_module("torch_mimicry.modules.resblocks")
    blocks.F = changed(functional, interpolate=lambda x, **_: functional.interpolate(x, None, 2))
    times, judge_times = {32: (4, 2), 48: (8, 16), 64: (16, 16)}[case.size]
    made = getattr(networks, f"SNGANGenerator{case.size}")(
        nz=case.latent, ngf=times * case.generator["width"]
    )
    judge = getattr(networks, f"SNGANDiscriminator{case.size}")(
        ndf=judge_times * case.discriminator["width"]
    )
    for layer in (*made.modules(), *judge.modules()):
        if isinstance(layer, nn.ReLU):
            layer.inplace = False
    return [
        Network(
            module,
            functools.partial(resnet_paths, module),
            lambda x, labels, module=module: module(x),
        )
        for module in (made, judge)
    ]


def resnet_paths(module, tensors):
    counted, found, parents = Counted(), {}, []
    for name, layer in module.named_modules():
        if name.startswith(tuple(parents)):
            continue
        kind = type(layer).__name__
        if kind == "Attention":
            parents.append(f"{name}.")
            found |= _attention(tensors, name, counted.of("SelfAttention"))
        elif kind in ("ccbn", "bn", "BatchNorm2d"):
            parents.append(f"{name}.")
            found |= _batch_norm(tensors, name, counted.of("BatchNorm"))
        elif isinstance(layer, nn.Conv2d | nn.Linear):
            path = counted.of("Dense" if isinstance(layer, nn.Linear) else "Conv")
            found |= _layer(tensors, name, path)
        elif isinstance(layer, nn.Embedding):
            path = "Embed_0" if name == "shared" else "class_embedding"
            found[f"{path}/embedding"] = tensors[f"{name}.weight"]
    base = getattr(module, "bottom_width", 1)  # a generator's dense layer makes images
    for kind in ("kernel", "bias"):
        found[f"Dense_0/{kind}"] = channels_last(found[f"Dense_0/{kind}"], base)
    return found


def _attention(tensors, name, path):
    layers = {"theta": "queries", "phi": "keys", "g": "values", "o": "output"}
    found = {f"{path}/gamma": tensors[f"{name}.gamma"]}
    for theirs, ours in layers.items():
        found |= _layer(tensors, f"{name}.{theirs}", f"{path}/{ours}")
    return found


def _batch_norm(tensors, name, path):
    kinds = {
        "gain": "scale",
        "weight": "scale",
        "bias": "bias",
        "gain.weight": "gain/kernel",
        "bias.weight": "bias/kernel",
        "stored_mean": "mean",
        "running_mean": "mean",
        "stored_var": "var",
        "running_var": "var",
    }
    return {
        f"{path}/{ours}": tensors[f"{name}.{theirs}"].T
        for theirs, ours in kinds.items()
        if f"{name}.{theirs}" in tensors
    }


# All


def _layer(tensors, name, path):
    """A convolution's or linear layer's kernel, and its bias where it has one."""
    weight = tensors.get(f"{name}.weight_orig", tensors.get(f"{name}.weight"))
    found = {f"{path}/kernel": conv(weight) if weight.ndim == 4 else weight.T}
    if f"{name}.bias" in tensors:
        found[f"{path}/bias"] = tensors[f"{name}.bias"]
    return found


def conv(kernel):
    return kernel.transpose(2, 3, 1, 0)


def channels_last(array, base):
    """The last axis from (C, base, base) to (base, base, C), both as one axis."""
    parts = array.reshape(*array.shape[:-1], -1, base * base)
    return parts.swapaxes(-1, -2).reshape(array.shape)


def fill(network):
    """Draws all weights in float64; returns shapes by path."""
    module = network.module.double().eval()
    for name, buffer in module.named_buffers():
        if name.endswith(FILTERS):  # their code expects it
            buffer.data = buffer.data.float()
    tensors = {
        name: tensor
        for name, tensor in module.state_dict().items()
        if name.rpartition(".")[2] not in NOT_DRAWN
    }
    numbers, count = {}, 0
    for name, tensor in tensors.items():
        numbers[name] = np.arange(count, count + tensor.numel()).reshape(tensor.shape)
        count += tensor.numel()
    places = network.paths(numbers)
    values = np.full(count, np.nan)
    for path, place in places.items():
        values[place] = drawn.weight(path, place.shape)
    given = np.concatenate([place.ravel() for place in places.values()])
    np.testing.assert_array_equal(np.sort(given), np.arange(count))  # each has one place
    for name, tensor in tensors.items():
        tensor.copy_(torch.as_tensor(values[numbers[name]]))
    normalize_spectrally(module)
    return {path: list(place.shape) for path, place in places.items()}


def normalize_spectrally(module):
    """Sets the vectors to those of the largest singular values."""
    for layer in module.modules():
        if hasattr(layer, "u0"):
            left, _, _ = torch.linalg.svd(layer.weight.flatten(1), full_matrices=False)
            layer.u0.copy_(left[:, :1].T)
        if hasattr(layer, "weight_u"):
            left, _, right = torch.linalg.svd(layer.weight_orig.flatten(1), full_matrices=False)
            layer.weight_u.copy_(left[:, 0])
            layer.weight_v.copy_(right[0])


def arrays(folders):
    """What the file holds, from the folders by the functions above."""
    found = {}
    for name, case in drawn.CASES.items():
        pair = biggan if case.family == "biggan_deep" else globals()[case.family]
        generator, discriminator = pair(folders[pair.__name__], case)
        for side, network in (("generator", generator), ("discriminator", discriminator)):
            found[f"{name}/{side}"] = np.array(json.dumps(fill(network)))
        z = torch.from_numpy(drawn.latents(name)).double()
        x = torch.from_numpy(drawn.images(name)).double().permute(0, 3, 1, 2)
        labels = drawn.labels(name)
        labels = None if labels is None else torch.from_numpy(labels).long()
        outputs = {"images": generator.run(z, labels)}
        if case.family == "stylegan2":
            outputs["truncated"] = generator.run(z, labels, drawn.TRUNCATION)
        for output, made in outputs.items():
            found[f"{name}/{output}"] = np.float32(drawn.kept(made.permute(0, 2, 3, 1).numpy()))
        logits = discriminator.run(x, labels)
        found[f"{name}/logits"] = np.float32(logits.reshape(case.batch).numpy())
    return found


if __name__ == "__main__":
    names = ("r3gan", "stylegan2", "biggan", "sngan")
    folders = dict(zip(names, sys.argv[1:], strict=True))
    with torch.no_grad():
        np.savez_compressed(pathlib.Path(__file__).with_name("networks.npz"), **arrays(folders))
