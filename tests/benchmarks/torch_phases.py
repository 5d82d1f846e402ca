"""A GAN's two phases in eager PyTorch, written in two ways. Imported by peer_torch.py.

`tutorial` is how PyTorch's own DCGAN tutorial and most GAN repositories put them, `tuned` what a
careful user makes of that. Both compute the same: `mlp_job.py --check` compares them with gan_jax.
"""

from collections.abc import Callable
from typing import Any

import job
import torch
import torch.nn.functional as F
from job import BATCH, Recipe
from torch import Tensor, nn
from torch.nn.functional import softplus

Phase = Callable[[Tensor | None, Tensor], Tensor]
"""(real, z) to the loss; the generator's reads reals in the relativistic recipe only."""


def tutorial(
    recipe: Recipe,
    optimizer: str,
    generator: nn.Module,
    discriminator: nn.Module,
    average: list[Tensor],
) -> tuple[Phase, Phase]:
    """Returns the phases of the discriminator and of the generator, as tutorials write them.

    Reals and fakes pass the discriminator one after the other, the fakes with a graph that is then
    detached; each penalty takes a gradient of its own; `backward` reaches everything that requires
    a gradient, so that the generator's phase computes the discriminator's too, for the next
    `zero_grad` to drop; Adam as it comes; the average in a loop. Unlike in the DCGAN tutorial, the
    generator's phase draws noise of its own, because the other peers' does.
    """
    generator_optimizer = _descent(recipe, optimizer, generator)
    discriminator_optimizer = _descent(recipe, optimizer, discriminator)

    def cross_entropy(logits: Tensor, label: float) -> Tensor:
        return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))

    def gradient_penalty(images: Tensor, logits: Tensor) -> Tensor:
        (slopes,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
        return 0.5 * slopes.square().sum(1).mean()

    def discriminator_phase(real: Tensor, z: Tensor) -> Tensor:
        discriminator_optimizer.zero_grad()
        fake = generator(z).detach()
        if recipe.penalty:
            real.requires_grad_()
            fake.requires_grad_()
        real_logits = discriminator(real)
        fake_logits = discriminator(fake)
        if recipe.relativistic:
            loss = softplus(fake_logits - real_logits).mean()
        else:
            loss = cross_entropy(real_logits, 1.0) + cross_entropy(fake_logits, 0.0)
        total = loss
        if recipe.penalty:
            r1 = gradient_penalty(real, real_logits)
            r2 = gradient_penalty(fake, fake_logits)
            total = loss + recipe.penalty * (r1 + r2)
        total.backward()
        discriminator_optimizer.step()
        return loss.detach()

    def generator_phase(real: Tensor, z: Tensor) -> Tensor:
        generator_optimizer.zero_grad()
        fake_logits = discriminator(generator(z))
        if recipe.relativistic:
            loss = softplus(discriminator(real) - fake_logits).mean()
        else:
            loss = cross_entropy(fake_logits, 1.0)
        loss.backward()
        generator_optimizer.step()
        if recipe.decay:
            with torch.no_grad():
                for p_ema, p in zip(average, generator.parameters(), strict=True):
                    p_ema.lerp_(p, 1 - recipe.decay)
        return loss.detach()

    return discriminator_phase, generator_phase


def tuned(
    recipe: Recipe,
    optimizer: str,
    generator: nn.Module,
    discriminator: nn.Module,
    average: list[Tensor],
) -> tuple[Phase, Phase]:
    """Returns the phases of the discriminator and of the generator, as a careful user writes them.

    One discriminator pass over reals and fakes together, gradients of the trained network only,
    fused Adam (measured: faster on CPU than foreach and the plain loop), the average by foreach.
    """
    weights, critic_weights = list(generator.parameters()), list(discriminator.parameters())
    generator_optimizer = _descent(recipe, optimizer, generator, fused=True)
    discriminator_optimizer = _descent(recipe, optimizer, discriminator, fused=True)

    def discriminator_phase(real: Tensor, z: Tensor) -> Tensor:
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

    def generator_phase(real: Tensor, z: Tensor) -> Tensor:
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

    return discriminator_phase, generator_phase


def _descent(
    recipe: Recipe, optimizer: str, network: nn.Module, **implementation: Any
) -> torch.optim.Optimizer:
    if optimizer == "sgd":
        return torch.optim.SGD(network.parameters(), job.SGD_RATE)
    return torch.optim.Adam(network.parameters(), recipe.rate, recipe.betas, **implementation)
