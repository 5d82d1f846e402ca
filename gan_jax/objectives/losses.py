"""Adversarial losses: functions of logits, unreduced.

`LOSSES[name]` is a `Loss`. Both functions return one value an example, shape (B,); the mean over
the batch is the caller's.
"""

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import NamedTuple

import jax
import jax.numpy as jnp

from gan_jax.axis import mean_over
from gan_jax.errors import InputError

Array = jax.Array


class Loss(NamedTuple):
    """The two sides of an adversarial game.

    Attributes:
      discriminator: `(real_logits, fake_logits) -> (B,)`, minimized by the discriminator.
      generator: `(fake_logits, real_logits) -> (B,)`, minimized by the generator.
      relativistic: whether the generator's side reads `real_logits` (else they may be None).
      couples: whether a value depends on other examples of the batch than its own. Both functions
        then take `axis_name=None`, and see the whole batch where it lies on several devices.
      undecided: the logit that stands for neither real nor fake, where a logit is judged by itself;
        None where there is none.
    """

    discriminator: Callable[..., Array]
    generator: Callable[..., Array]
    relativistic: bool = False
    couples: bool = False
    undecided: float | None = 0.0

    def over(self, axis_name: str | None) -> "Loss":
        """Returns the loss of a batch that is spread over a mapped axis."""
        if not self.couples:
            return self
        return self._replace(
            discriminator=partial(self.discriminator, axis_name=axis_name),
            generator=partial(self.generator, axis_name=axis_name),
        )


def sign_rate(
    loss: Loss, real_logits: Array, fake_logits: Array, axis_name: str | None = None
) -> Array:
    """Returns the mean sign, shape (), of what the loss judges reals by: 1 where it is always sure.

    With both logits exchanged it is that of the fakes, -1 where it is always sure. What is judged
    is a logit's distance from the undecided one, from that of its row's fake, or from the mean of
    the fakes.

    Raises:
      InputError: for a Wasserstein critic, whose logits have no zero.
    """
    if loss.undecided is None:
        raise InputError("the signs of a Wasserstein critic mean nothing")
    against: Array | float = loss.undecided
    if loss.couples:
        against = mean_over(fake_logits.mean(), axis_name)
    elif loss.relativistic:
        against = fake_logits
    return jnp.sign(real_logits - against).mean()


# ---- each logit judged by itself -----------------------------------------------------------------


def _cross_entropy_discriminator(real_logits: Array, fake_logits: Array) -> Array:
    return jax.nn.softplus(-real_logits) + jax.nn.softplus(fake_logits)


def _saturating_generator(fake_logits: Array, real_logits: Array | None = None) -> Array:
    del real_logits
    return -jax.nn.softplus(fake_logits)


MINIMAX = Loss(_cross_entropy_discriminator, _saturating_generator)
"""Cross-entropy on logits; the generator minimizes what the discriminator maximizes.

    L_D = softplus(-D(x)) + softplus(D(G(z))),    L_G = -softplus(D(G(z)))

It saturates: where the discriminator has won, the generator has no gradient.

Reference: Goodfellow et al. 2014, "Generative Adversarial Networks", equation 1.
"""


def _non_saturating_generator(fake_logits: Array, real_logits: Array | None = None) -> Array:
    del real_logits
    return jax.nn.softplus(-fake_logits)


NON_SATURATING = Loss(_cross_entropy_discriminator, _non_saturating_generator)
"""Cross-entropy on logits; the generator maximizes log D(G(z)).

    L_D = softplus(-D(x)) + softplus(D(G(z))),    L_G = softplus(-D(G(z)))

Reference: Goodfellow et al. 2014, "Generative Adversarial Networks", section 3.
"""


def _least_squares_discriminator(real_logits: Array, fake_logits: Array) -> Array:
    return 0.5 * (jnp.square(real_logits - 1) + jnp.square(fake_logits))


def _least_squares_generator(fake_logits: Array, real_logits: Array | None = None) -> Array:
    del real_logits
    return 0.5 * jnp.square(fake_logits - 1)


LEAST_SQUARES = Loss(_least_squares_discriminator, _least_squares_generator, undecided=0.5)
"""Regression of the logits to 1 for reals and 0 for fakes.

    L_D = ((D(x) - 1)^2 + D(G(z))^2) / 2,    L_G = (D(G(z)) - 1)^2 / 2

Reference: Mao et al. 2017, "Least squares generative adversarial networks", equation 9.
"""


def _wasserstein_discriminator(real_logits: Array, fake_logits: Array) -> Array:
    return fake_logits - real_logits


def _wasserstein_generator(fake_logits: Array, real_logits: Array | None = None) -> Array:
    del real_logits
    return -fake_logits


WASSERSTEIN = Loss(_wasserstein_discriminator, _wasserstein_generator, undecided=None)
"""The dual of the Wasserstein-1 distance, if a penalty keeps the critic Lipschitz.

    L_D = D(G(z)) - D(x),    L_G = -D(G(z))

Reference: Arjovsky et al. 2017, "Wasserstein GAN", equations 2 and 3.
"""


def _hinge_discriminator(real_logits: Array, fake_logits: Array) -> Array:
    return jax.nn.relu(1 - real_logits) + jax.nn.relu(1 + fake_logits)


HINGE = Loss(_hinge_discriminator, _wasserstein_generator)
"""The discriminator ignores what it tells apart by a margin already.

    L_D = max(0, 1 - D(x)) + max(0, 1 + D(G(z))),    L_G = -D(G(z))

References: Lim & Ye 2017, "Geometric GAN"; Miyato et al. 2018, "Spectral normalization for
generative adversarial networks", equations 16 and 17.
"""


# ---- reals and fakes judged against each other ---------------------------------------------------


def _relativistic_discriminator(real_logits: Array, fake_logits: Array) -> Array:
    return jax.nn.softplus(fake_logits - real_logits)


def _relativistic_generator(fake_logits: Array, real_logits: Array) -> Array:
    return jax.nn.softplus(real_logits - fake_logits)


RELATIVISTIC = Loss(_relativistic_discriminator, _relativistic_generator, relativistic=True)
"""Relativistic pairing: each fake is judged against the real of its row.

    L_D = softplus(D(G(z)) - D(x)),    L_G = softplus(D(x) - D(G(z)))

References: Jolicoeur-Martineau 2018, "The relativistic discriminator"; Huang et al. 2024, "The GAN
is dead; long live the GAN! A modern GAN baseline" (R3GAN), equation 2 with f(t) = -log(1 + e^-t).
"""


def _average_discriminator(
    real_logits: Array, fake_logits: Array, axis_name: str | None = None
) -> Array:
    real_mean, fake_mean = mean_over((real_logits.mean(), fake_logits.mean()), axis_name)
    return jax.nn.softplus(fake_mean - real_logits) + jax.nn.softplus(fake_logits - real_mean)


def _average_generator(
    fake_logits: Array, real_logits: Array, axis_name: str | None = None
) -> Array:
    return _average_discriminator(fake_logits, real_logits, axis_name)  # the roles exchanged


RELATIVISTIC_AVERAGE = Loss(
    _average_discriminator, _average_generator, relativistic=True, couples=True
)
"""Relativistic average: each is judged against the mean of the others, E over the whole batch.

    L_D = softplus(E[D(G(z))] - D(x)) + softplus(D(G(z)) - E[D(x)])
    L_G = softplus(E[D(x)] - D(G(z))) + softplus(D(x) - E[D(G(z))])

Reference: Jolicoeur-Martineau 2018, "The relativistic discriminator: a key element missing from
standard GAN", section 4.2 (RaSGAN).
"""


LOSSES: Mapping[str, Loss] = MappingProxyType(
    {
        "minimax": MINIMAX,
        "non_saturating": NON_SATURATING,
        "least_squares": LEAST_SQUARES,
        "wasserstein": WASSERSTEIN,
        "hinge": HINGE,
        "relativistic": RELATIVISTIC,
        "relativistic_average": RELATIVISTIC_AVERAGE,
    }
)


def smoothed(loss: Loss, amount: float) -> Loss:
    """Returns a cross-entropy loss whose target for reals is `1 - amount`, for fakes still 0.

    With target a, reals cost a softplus(-D(x)) + (1 - a) softplus(D(x)), which is
    softplus(-D(x)) + (1 - a) D(x).

    Args:
      loss: `MINIMAX` or `NON_SATURATING`.
      amount: in [0, 1); at 0 the loss is returned as it is.

    Raises:
      InputError: the loss has no such targets.

    Reference: Salimans et al. 2016, "Improved techniques for training GANs", section 3.4.
    """
    if not amount:
        return loss
    if loss.discriminator is not _cross_entropy_discriminator:
        raise InputError(
            "label smoothing moves the targets of the cross-entropy: use it with the loss "
            "minimax or non_saturating"
        )

    def discriminator(real_logits: Array, fake_logits: Array) -> Array:
        return loss.discriminator(real_logits, fake_logits) + amount * real_logits

    return loss._replace(discriminator=discriminator)
