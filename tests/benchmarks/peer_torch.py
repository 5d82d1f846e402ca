"""The MLP job in PyTorch, eager, as tutorials write it (`--tutorial`) or as a careful user does.

Run by mlp_job.py. The two ways differ in the phases of a step, torch_phases.py; networks, data and
noise are the same, and neither synchronises inside the loop.
"""

import argparse
from collections.abc import Iterable

import job
import numpy as np
from job import BATCH, Inputs, Layers, Recipe


def build(recipe: Recipe, optimizer: str, arguments: argparse.Namespace) -> job.Job:
    """Returns the job in PyTorch."""
    import torch
    import torch_phases
    from torch import Tensor, nn

    def network(widths: tuple[int, ...], seed: int) -> nn.Sequential:
        layers: list[nn.Module] = []
        for kernel, bias in job.first_weights(widths, seed):
            layer = nn.Linear(*kernel.shape)
            layer.load_state_dict({"weight": torch.tensor(kernel.T), "bias": torch.tensor(bias)})
            hidden = nn.LeakyReLU(recipe.slope) if recipe.slope else nn.ReLU()
            layers += [layer, hidden]
        return nn.Sequential(*layers[:-1])

    generator = network(job.GENERATOR, 1).append(nn.Tanh())
    discriminator = network(job.DISCRIMINATOR, 2)
    average = [weight.detach().clone() for weight in generator.parameters()]
    phases = torch_phases.tutorial if arguments.tutorial else torch_phases.tuned
    discriminator_phase, generator_phase = phases(
        recipe, optimizer, generator, discriminator, average
    )

    def step(inputs: Inputs) -> tuple[Tensor, Tensor]:
        return (
            discriminator_phase(inputs.real, inputs.z),
            generator_phase(inputs.generator_real, inputs.generator_z),
        )

    images = torch.from_numpy(job.images().reshape(job.EXAMPLES, -1))

    def reals() -> Tensor:
        return images[torch.randint(job.EXAMPLES, (BATCH,))].float().div_(127.5).sub_(1)

    def run(steps: int) -> None:
        for _ in range(steps):
            generator_real = reals() if recipe.relativistic else None
            z, generator_z = torch.randn(BATCH, job.LATENT), torch.randn(BATCH, job.LATENT)
            step(Inputs(reals(), z, generator_real, generator_z))

    def layers(flat: Iterable[Tensor]) -> Layers:
        arrays = [tensor.detach().numpy() for tensor in flat]
        return [(w.T, b) for w, b in zip(arrays[::2], arrays[1::2], strict=True)]

    def check(path: str) -> dict[str, np.ndarray]:
        losses = []
        for inputs in job.checked_inputs(path):
            tensors = (torch.from_numpy(x.reshape(BATCH, -1)) for x in inputs)
            losses.append(tuple(loss.item() for loss in step(Inputs(*tensors))))
        return job.checked_results(
            losses,
            generator=layers(generator.parameters()),
            discriminator=layers(discriminator.parameters()),
            **({"average": layers(average)} if recipe.decay else {}),
        )

    return job.Job(run, check, {"torch": torch.__version__})


if __name__ == "__main__":
    job.serve(build)
