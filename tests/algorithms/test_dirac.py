"""The Dirac-GAN: the smallest game that shows which penalties make training converge.

Data and fakes are one point each: 0 and theta. D(x) = psi x. The one equilibrium is (0, 0).
Reference: Mescheder et al. 2018, "Which training methods for GANs do actually
converge?", section 2.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen as nn

import gan_jax
from gan_jax.objectives.losses import LOSSES
from gan_jax.objectives.penalties import PENALTIES

STEPS, RATE = 3_000, 0.05


class Point(nn.Module):
    """G(z) = theta, which begins at 1."""

    @nn.compact
    def __call__(self, z, labels=None, *, train, keys=None):
        theta = self.param("theta", nn.initializers.ones, (1, 1, 1))
        return jnp.broadcast_to(theta, (len(z), 1, 1, 1))


class Slope(nn.Module):
    """D(x) = psi x, with psi 1 at first."""

    @nn.compact
    def __call__(self, images, labels=None, *, train, keys=None):
        psi = self.param("psi", nn.initializers.ones, ())
        return gan_jax.Outputs(logits=psi * images[:, 0, 0, 0], features=images)


def radii(loss, penalties, key):
    """The distance of (theta, psi) from the equilibrium after each step."""
    gan = gan_jax.gan(
        generator=Point(),
        discriminator=Slope(),
        generator_optimizer=optax.sgd(RATE),
        discriminator_optimizer=optax.sgd(RATE),
        loss=LOSSES[loss],
        penalties=[(PENALTIES[name], weight) for name, weight in penalties.items()],
        image_shape=(1, 1, 1),
        latent_dim=1,
    )
    batch = {
        "image": jnp.zeros((gan.minibatches, 2, 1, 1, 1)),
        "index": jnp.arange(2 * gan.minibatches).reshape(gan.minibatches, 2),
    }

    def step(state, _):
        state, _ = gan.update(state, batch)
        theta = state.generator.params["theta"][0, 0, 0]
        return state, jnp.hypot(theta, state.discriminator.params["psi"])

    return np.asarray(jax.jit(lambda s: jax.lax.scan(step, s, length=STEPS))(gan.init(key))[1])


@pytest.mark.parametrize("loss", ["minimax", "non_saturating", "relativistic"])
@pytest.mark.parametrize("penalties", [{"r1": 1.0}, {"r2": 1.0}, {"r1": 0.5, "r2": 0.5}])
def test_with_gradient_penalties_at_the_data_it_converges(loss, penalties, key):
    """Linearly: once near, by such a factor in every hundred steps."""
    found = radii(loss, penalties, key)
    assert found[-1] < 1e-6
    assert (found[500:1000:100] < 0.2 * found[400:900:100]).all()


@pytest.mark.parametrize("loss", ["minimax", "wasserstein"])
def test_without_a_penalty_it_circles(loss, key):
    found = radii(loss, {}, key)
    assert 0.97 * 2**0.5 < found.min() < found.max() < 1.01 * 2**0.5


@pytest.mark.parametrize("loss", ["non_saturating", "relativistic"])
def test_without_a_penalty_descent_by_turns_spirals_in_ever_more_slowly(loss, key):
    found = radii(loss, {}, key)
    assert found[-1] > 0.2
    assert found[-1] > 0.6 * found[STEPS // 2]


@pytest.mark.parametrize("loss", ["wasserstein", "non_saturating"])
@pytest.mark.parametrize("penalty", ["wgan_gp", "one_sided_gp", "dragan"])
def test_penalties_that_want_a_slope_do_not_converge(loss, penalty, key):
    """They hold or allow |psi| = 1, where the fake has to move."""
    assert radii(loss, {penalty: 1.0}, key)[STEPS // 2 :].min() > 0.2
