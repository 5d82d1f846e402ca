"""gan_jax's side of networks.py."""

import functools
import pathlib
import sys
from typing import Any

sys.path.insert(0, str(pathlib.Path(__file__).parents[2]))

import jax
import jax.numpy as jnp
import numpy as np
import optax
from network_jobs import PRODUCTS, Layer, Prepared, Step, milliseconds, serve

import gan_jax
from gan_jax.models.families import FAMILIES
from gan_jax.nn.convolution import convolve
from gan_jax.runtime import memory


def step(job: Step) -> Prepared:
    """The compiled update, as the loop calls it."""
    family = FAMILIES[job.family]
    shape = (job.size, job.size, job.channels)
    options: dict[str, Any] = {"blocks": 1} if job.family == "r3gan" else {}
    options["dtype"] = jnp.dtype(job.precision)
    penalties = [(gan_jax.penalties.r1, job.penalty), (gan_jax.penalties.r2, job.penalty)]
    adam = optax.adam(2e-4, b1=0.0, b2=0.99)
    gan = gan_jax.gan(
        generator=family.generator(image_shape=shape, width=job.generator, **options),
        discriminator=family.discriminator(width=job.discriminator, **options),
        generator_optimizer=adam,
        discriminator_optimizer=adam,
        loss=gan_jax.losses.LOSSES[job.loss],
        penalties=penalties if job.penalty else (),
        image_shape=shape,
        latent_dim=job.latent,
    )
    rows = (gan.minibatches, job.batch)
    batch = {
        "image": jnp.asarray(np.random.default_rng(0).uniform(-1, 1, (*rows, *shape)), jnp.float32),
        "index": jnp.arange(rows[0] * rows[1]).reshape(rows),
    }
    state = jax.jit(gan.init)(jax.random.key(0))
    update = jax.jit(gan.update, donate_argnums=0).lower(state, batch).compile()

    def run() -> Any:
        nonlocal state
        state, metrics = update(state, batch)
        return metrics

    counts = [
        sum(x.size for x in jax.tree.leaves(net.params))
        for net in (state.generator, state.discriminator)
    ]
    return Prepared({"step": run}, jax.block_until_ready, counts)


def layer(job: Layer) -> Prepared:
    """The three products, and the gradient of a penalty on the input's gradient."""
    random = np.random.default_rng(0)
    x = jnp.asarray(random.normal(size=(job.batch, job.size, job.size, job.inputs)), jnp.float32)
    kernel = jnp.asarray(
        random.normal(size=(job.kernel, job.kernel, job.inputs // job.groups, job.outputs)),
        jnp.float32,
    )
    padding = None if job.stride == 1 else (job.kernel - 1) // 2
    function = functools.partial(convolve, stride=job.stride, padding=padding, groups=job.groups)
    y = jax.jit(function)(x, kernel)

    def penalty(x: jax.Array, kernel: jax.Array, y: jax.Array) -> jax.Array:
        gradient = jax.grad(lambda x: jnp.vdot(jnp.square(function(x, kernel)), y))(x)
        return jnp.vdot(gradient, gradient)

    programs = (
        lambda x, kernel, y: function(x, kernel),
        lambda x, kernel, y: jax.vjp(lambda x: function(x, kernel), x)[1](y),
        lambda x, kernel, y: jax.vjp(lambda kernel: function(x, kernel), kernel)[1](y),
        jax.grad(penalty, argnums=1),
    )
    compiled = (jax.jit(program).lower(x, kernel, y).compile() for program in programs)
    return Prepared(
        {
            product: functools.partial(program, x, kernel, y)
            for product, program in zip(PRODUCTS, compiled, strict=True)
        },
        jax.block_until_ready,
    )


def prepare(what: str, job: list[Any]) -> Prepared:
    """A step or a layer."""
    return step(Step(*job)) if what == "steps" else layer(Layer(*job))


def main() -> None:
    """Serves."""
    memory.keep_freed_memory()  # as launch.py does
    size = 8192 if jax.default_backend() == "gpu" else 2048
    a = jax.random.normal(jax.random.key(0), (size, size))
    product = functools.partial(jax.jit(lambda a: a @ a), a)
    jax.block_until_ready(product())
    peak = 2e-6 * size**3 / milliseconds(product, jax.block_until_ready)
    device = jax.devices()[0].device_kind
    serve({"versions": {"jax": jax.__version__}, "device": device, "peak_gflops": peak}, prepare)


if __name__ == "__main__":
    main()
