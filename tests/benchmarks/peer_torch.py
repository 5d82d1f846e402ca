"""The MLP job in PyTorch, eager, as a careful user writes it. Run by mlp_job.py.

One discriminator pass over reals and fakes together, gradients of the trained network only, fused
Adam (measured: faster on CPU than foreach and the plain loop), the average by foreach, no
synchronisation inside the loop.
"""

import argparse

import job
import numpy as np
from job import BATCH, Inputs, Layers, Recipe


def build(recipe: Recipe, optimizer: str, arguments: argparse.Namespace) -> job.Job:
    """Returns the job in PyTorch."""
    del arguments
    import torch
    from torch import Tensor, nn
    from torch.nn.functional import softplus

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
    weights, critic_weights = list(generator.parameters()), list(discriminator.parameters())
    average = [weight.detach().clone() for weight in weights]

    def descent(parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        if optimizer == "sgd":
            return torch.optim.SGD(parameters, job.SGD_RATE)
        return torch.optim.Adam(parameters, recipe.rate, recipe.betas, fused=True)

    generator_optimizer, discriminator_optimizer = descent(weights), descent(critic_weights)

    def discriminator_step(real: Tensor, z: Tensor) -> Tensor:
        with torch.no_grad():
            fake = generator(z)
        both = torch.cat([real, fake]).requires_grad_(bool(recipe.penalty))
        logits = discriminator(both)
        real_logits, fake_logits = logits.chunk(2)
        if recipe.relativistic:
            loss = softplus(fake_logits - real_logits).mean()
        else:
            loss = softplus(-real_logits).mean() + softplus(fake_logits).mean()
        total = loss
        if recipe.penalty:
            (slopes,) = torch.autograd.grad(logits.sum(), both, create_graph=True)
            # The mean over the reals plus the mean over the fakes.
            total = loss + recipe.penalty * 0.5 * slopes.square().sum() / BATCH
        discriminator_optimizer.zero_grad(set_to_none=True)
        total.backward(inputs=critic_weights)
        discriminator_optimizer.step()
        return loss.detach()

    def generator_step(real: Tensor | None, z: Tensor) -> Tensor:
        fake_logits = discriminator(generator(z))
        if recipe.relativistic:
            with torch.no_grad():
                real_logits = discriminator(real)
            loss = softplus(real_logits - fake_logits).mean()
        else:
            loss = softplus(-fake_logits).mean()
        generator_optimizer.zero_grad(set_to_none=True)
        loss.backward(inputs=weights)
        generator_optimizer.step()
        if recipe.decay:
            with torch.no_grad():
                torch._foreach_lerp_(average, weights, 1 - recipe.decay)
        return loss.detach()

    def step(inputs: Inputs) -> tuple[Tensor, Tensor]:
        return (
            discriminator_step(inputs.real, inputs.z),
            generator_step(inputs.generator_real, inputs.generator_z),
        )

    images = torch.from_numpy(job.images().reshape(job.EXAMPLES, -1))

    def reals() -> Tensor:
        return images[torch.randint(job.EXAMPLES, (BATCH,))].float().div_(127.5).sub_(1)

    def run(steps: int) -> None:
        for _ in range(steps):
            generator_real = reals() if recipe.relativistic else None
            z, generator_z = torch.randn(BATCH, job.LATENT), torch.randn(BATCH, job.LATENT)
            step(Inputs(reals(), z, generator_real, generator_z))

    def layers(flat: list[Tensor]) -> Layers:
        arrays = [tensor.detach().numpy() for tensor in flat]
        return [(w.T, b) for w, b in zip(arrays[::2], arrays[1::2], strict=True)]

    def check(path: str) -> dict[str, np.ndarray]:
        losses = []
        for inputs in job.checked_inputs(path):
            tensors = (torch.from_numpy(x.reshape(BATCH, -1)) for x in inputs)
            losses.append(tuple(loss.item() for loss in step(Inputs(*tensors))))
        return job.checked_results(
            losses,
            generator=layers(weights),
            discriminator=layers(critic_weights),
            **({"average": layers(average)} if recipe.decay else {}),
        )

    return job.Job(run, check, {"torch": torch.__version__})


if __name__ == "__main__":
    job.serve(build)
