"""A linear GAN, whose every gradient can be written out by hand: G(z) = z V + c, D(x) = x w + b."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
from runs import quick_jit

import gan_jax
from gan_jax.models.activations import linear
from gan_jax.objectives.losses import LOSSES
from gan_jax.objectives.penalties import PENALTIES

BATCH, LATENT, SHAPE = 6, 3, (2, 2, 1)
RATE_G, RATE_D, R1, R2 = 0.3, 0.2, 0.7, 0.4


def r1_and_r2(interval=1):
    return [(PENALTIES["r1"], R1, interval), (PENALTIES["r2"], R2, interval)]


def linear_gan(loss="relativistic", **overrides):
    options = {
        "generator": gan_jax.mlp.MLPGenerator(SHAPE, widths=(), output=linear),
        "discriminator": gan_jax.mlp.MLPDiscriminator(widths=()),
        "generator_optimizer": optax.sgd(RATE_G),
        "discriminator_optimizer": optax.sgd(RATE_D),
        "loss": LOSSES[loss],
        "penalties": r1_and_r2(),
        "image_shape": SHAPE,
        "latent_dim": LATENT,
    }
    gan = gan_jax.gan(**options | overrides)
    return gan._replace(
        init=quick_jit(gan.init),
        update=quick_jit(gan.update),
        sample=quick_jit(gan.sample, static_argnums=2),
        update_discriminator=quick_jit(gan.update_discriminator),
        update_generator=quick_jit(gan.update_generator),
        diagnose=quick_jit(gan.diagnose),
    )


def draw(seed):
    random = np.random.default_rng(seed)
    images = random.uniform(-1, 1, size=(BATCH, *SHAPE))
    return (
        images,
        random.normal(size=(BATCH, LATENT)),
        jax.random.split(jax.random.key(seed), BATCH),
    )


def random_batch(gan, seed, batch=BATCH):
    random = np.random.default_rng(seed)
    images = random.uniform(-1, 1, size=(gan.minibatches, batch, *SHAPE)).astype(np.float32)
    index = np.arange(gan.minibatches * batch, dtype=np.int32).reshape(gan.minibatches, batch)
    return {"image": jnp.asarray(images), "index": jnp.asarray(index)}


def dense(params):
    (layer,) = params.values()
    return np.float64(layer["kernel"]), np.float64(layer["bias"])


def same(a, b):
    pairs = zip(jax.tree.leaves(bits(a)), jax.tree.leaves(bits(b)), strict=True)
    return all(np.array_equal(x, y) for x, y in pairs)


def bits(tree):
    """NumPy arrays of a tree; keys as their words."""

    def plain(leaf):
        is_key = jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
        return np.asarray(jax.random.key_data(leaf) if is_key else leaf)

    return jax.tree.map(plain, tree)
