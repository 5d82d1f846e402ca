"""Writes tensors_zip.pth and tensors_legacy.pth: a state dict, in both of PyTorch's formats.

Layers have the names of the Inception network's; after them comes what other tensors there are.

python tests/runtime/golden/make_tensors.py    # PyTorch 2.13.0
"""

import pathlib

import torch

FOLDER = pathlib.Path(__file__).parent


def state_dict():
    """Its numbers count up, so that the test knows them."""
    network = torch.nn.ModuleDict(
        {
            "conv": torch.nn.Conv2d(2, 3, (1, 2), bias=False),
            "bn": torch.nn.BatchNorm2d(3),
            "fc": torch.nn.Linear(3, 2),
        }
    )
    tensors = torch.nn.ModuleDict({"Mixed": network, "fc": torch.nn.Linear(3, 4)}).state_dict()
    for tensor in tensors.values():
        tensor.copy_(torch.arange(tensor.numel()).reshape(tensor.shape))
    kinds = ("float64", "float16", "int64", "int32", "int16", "int8", "uint8", "bool")
    for kind in kinds:
        tensors[kind] = torch.arange(3).to(getattr(torch, kind))
    shared = torch.arange(24).reshape(2, 3, 4).to(torch.float32)
    tensors["transposed"] = shared.transpose(0, 2)
    tensors["part"] = shared[1:, ::2, 1:]
    tensors["scalar"] = torch.tensor(7)
    tensors["empty"] = torch.zeros(0, 3)
    tensors["parameter"] = torch.nn.Parameter(torch.arange(2.0))
    return tensors


if __name__ == "__main__":
    torch.save(state_dict(), FOLDER / "tensors_zip.pth")
    torch.save(state_dict(), FOLDER / "tensors_legacy.pth", _use_new_zipfile_serialization=False)
