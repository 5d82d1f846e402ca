"""Every loss against NumPy in float64, its gradients against finite differences."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.errors import InputError
from gan_jax.objectives.losses import LOSSES, sign_rate, smoothed
from gan_jax.runtime.parallel import AXIS

REAL = np.array([0.0, 1.5, -2.0, 90.0, -90.0, 0.3])
FAKE = np.array([0.0, -0.5, 3.0, -90.0, 90.0, 0.2])


def softplus(x):
    return np.logaddexp(0.0, x)


def relu(x):
    return np.maximum(x, 0)


def average(a, b):
    return softplus(b.mean() - a) + softplus(b - a.mean())


# The discriminator's side, the generator's.
CASES = {
    "minimax": (softplus(-REAL) + softplus(FAKE), -softplus(FAKE)),
    "non_saturating": (softplus(-REAL) + softplus(FAKE), softplus(-FAKE)),
    "least_squares": ((REAL - 1) ** 2 / 2 + FAKE**2 / 2, (FAKE - 1) ** 2 / 2),
    "wasserstein": (FAKE - REAL, -FAKE),
    "hinge": (relu(1 - REAL) + relu(1 + FAKE), -FAKE),
    "relativistic": (softplus(FAKE - REAL), softplus(REAL - FAKE)),
    "relativistic_average": (average(REAL, FAKE), average(FAKE, REAL)),
}


def assert_close(values, expected):
    """Equal to 1e-6 of the largest value of the reference."""
    expected = np.asarray(expected)
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-6 * np.abs(expected).max())


def test_every_loss_has_a_case():
    assert LOSSES.keys() == CASES.keys()


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("transform", [lambda f: f, jax.jit])
def test_values(name, transform):
    loss, (discriminator, generator) = LOSSES[name], CASES[name]
    real, fake = jnp.float32(REAL), jnp.float32(FAKE)
    assert_close(transform(loss.discriminator)(real, fake), discriminator)
    assert_close(transform(loss.generator)(fake, real), generator)


def slopes(function, x, h=1e-6):
    """The gradient of a sum by central differences."""
    steps = h * np.eye(len(x))
    return np.array([(function(x + e).sum() - function(x - e).sum()) / (2 * h) for e in steps])


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_are_finite_differences(name):
    loss = LOSSES[name]
    with jax.enable_x64(True):
        for function, a, b in ((loss.discriminator, REAL, FAKE), (loss.generator, FAKE, REAL)):
            found = jax.grad(lambda a, b, f=function: f(a, b).sum(), argnums=(0, 1))(a, b)
            by_a = slopes(lambda x, f=function, b=b: np.asarray(f(x, b)), a)
            by_b = slopes(lambda x, f=function, a=a: np.asarray(f(a, x)), b)
            assert_close(found[0], by_a)
            np.testing.assert_allclose(
                found[1], by_b, rtol=0, atol=1e-6 * max(1, np.abs(by_b).max())
            )


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_are_finite_even_far_out(name):
    loss = LOSSES[name]
    real, fake = jnp.float32(1e4 * REAL), jnp.float32(1e4 * FAKE)
    for function in (loss.discriminator, loss.generator):
        for gradient in jax.grad(lambda a, b, f=function: f(a, b).sum(), argnums=(0, 1))(
            real, fake
        ):
            assert np.isfinite(gradient).all()


@pytest.mark.parametrize("name", [name for name, loss in LOSSES.items() if not loss.couples])
def test_a_row_never_sees_another(name):
    loss, (discriminator, generator) = LOSSES[name], CASES[name]
    real, fake = jnp.float32(REAL), jnp.float32(FAKE)
    assert_close(jax.vmap(loss.discriminator)(real, fake), discriminator)
    assert_close(jax.vmap(loss.generator)(fake, real), generator)


@pytest.mark.parametrize("name", [name for name, loss in LOSSES.items() if loss.couples])
def test_rows_that_see_each_other_do_so_across_devices(name):
    """Values and gradients of the whole batch's mean, from two devices with three rows each."""
    loss = LOSSES[name]
    real, fake = jnp.float32(REAL / 30), jnp.float32(FAKE / 30)

    def gradients(function, a, b):
        values, pullback = jax.vjp(function, a, b)
        return values, *pullback(jnp.ones_like(values))

    for side in ("discriminator", "generator"):
        whole = gradients(getattr(loss, side), real, fake)
        spread = jax.vmap(
            lambda a, b, side=side: gradients(getattr(loss.over(AXIS), side), a, b), axis_name=AXIS
        )(real.reshape(2, 3), fake.reshape(2, 3))
        for one, many in zip(whole, spread, strict=True):
            assert_close(many.reshape(-1), one)


@pytest.mark.parametrize("name", LOSSES)
def test_conventions(name):
    loss = LOSSES[name]
    more = ["axis_name"] if loss.couples else []
    for side, names in (
        ("discriminator", ["real_logits", "fake_logits"]),
        ("generator", ["fake_logits", "real_logits"]),
    ):
        assert list(inspect.signature(getattr(loss, side)).parameters) == names + more


def test_relativistic_says_whether_reals_are_read():
    real, fake = jnp.float32(REAL), jnp.float32(FAKE)
    for loss in LOSSES.values():
        gradient = jax.grad(lambda r, loss=loss: loss.generator(fake, r).sum())(real)
        assert bool(np.any(gradient)) == loss.relativistic


@pytest.mark.parametrize("name", ["minimax", "non_saturating"])
def test_smoothed_labels_are_a_cross_entropy_with_that_target(name):
    loss = smoothed(LOSSES[name], 0.1)
    expected = 0.9 * softplus(-REAL) + 0.1 * softplus(REAL) + softplus(FAKE)
    assert_close(loss.discriminator(jnp.float32(REAL), jnp.float32(FAKE)), expected)
    assert loss.generator is LOSSES[name].generator


def test_smoothing_by_nothing_changes_nothing_and_elsewhere_it_is_refused():
    assert smoothed(LOSSES["hinge"], 0.0) is LOSSES["hinge"]
    with pytest.raises(InputError, match="minimax or non_saturating"):
        smoothed(LOSSES["hinge"], 0.1)


@pytest.mark.parametrize("name", LOSSES)
def test_the_sign_rate_of_reals(name):
    """From what the loss judges by: three reals of four look real, or all of them."""
    real, fake = jnp.array([0.4, 1.0, 2.0, 3.0]), jnp.array([0.6, 0.2, 0.2, 0.3])
    if name == "wasserstein":
        with pytest.raises(InputError, match="mean nothing"):
            sign_rate(LOSSES[name], real, fake)
        return
    expected = {"least_squares": 0.5, "relativistic": 0.5}.get(name, 1.0)
    assert float(sign_rate(LOSSES[name], real, fake)) == expected


def test_the_sign_rate_of_fakes():
    """With the logits exchanged; a pair that is told apart rightly gives 1 and -1."""
    real, fake = jnp.array([0.4, 1.0, 2.0, 3.0]), jnp.array([0.6, -0.2, 0.2, 0.3])
    assert float(sign_rate(LOSSES["hinge"], fake, real)) == 0.5
    assert float(sign_rate(LOSSES["relativistic"], fake, real)) == -0.5
    assert float(sign_rate(LOSSES["relativistic_average"], fake, real)) == -1


def test_the_sign_rate_sees_the_fakes_of_all_devices():
    loss, real = LOSSES["relativistic_average"], jnp.array([[0.5, 0.5], [0.5, 0.5]])
    fake = jnp.array([[0.0, 0.0], [3.0, 3.0]])
    rates = jax.vmap(lambda r, f: sign_rate(loss, r, f, AXIS), axis_name=AXIS)(real, fake)
    np.testing.assert_array_equal(rates, [-1, -1])
