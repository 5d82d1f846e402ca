"""Weights end where they are cut to, whatever the step was."""

import jax.numpy as jnp
import numpy as np
import optax

import gan_jax


def test_weights_are_cut_after_the_step():
    params = {"w": jnp.array([0.05, -0.05, 0.0, 2.0])}
    gradient = {"w": jnp.array([-1.0, 0.2, 0.3, 0.0])}
    optimizer = optax.chain(optax.sgd(0.1), gan_jax.clip_weights(0.06))
    updates, _ = optimizer.update(gradient, optimizer.init(params), params)
    found = optax.apply_updates(params, updates)["w"]
    np.testing.assert_allclose(found, [0.06, -0.06, -0.03, 0.06], rtol=1e-6)
