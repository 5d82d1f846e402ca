"""gan_jax's side of networks.py."""

import argparse
import functools
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[2]))

import jax
import jax.numpy as jnp
import numpy as np
import optax
from network_jobs import LAYERS, PRODUCTS, STEPS, Layer, Step, milliseconds, report

import gan_jax
from gan_jax.models.families import FAMILIES
from gan_jax.nn.convolution import convolve
from gan_jax.runtime import memory


def step(name: str, job: Step) -> None:
    """Times the compiled update, as the loop calls it."""
    family = FAMILIES[name.split(",")[0]]
    shape = (job.size, job.size, job.channels)
    options = {"blocks": 1} if name.startswith("r3gan") else {}
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

    def run() -> None:
        nonlocal state
        state, metrics = update(state, batch)
        jax.block_until_ready(metrics)

    counts = [
        sum(x.size for x in jax.tree.leaves(net.params))
        for net in (state.generator, state.discriminator)
    ]
    report(name=name, ms=milliseconds(run, 10.0), parameters=counts)


def layer(name: str, job: Layer) -> None:
    """Times the three products, and the gradient of a penalty on the input's gradient."""
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
    for product, program in zip(PRODUCTS, programs, strict=True):
        compiled = jax.jit(program).lower(x, kernel, y).compile()
        time = milliseconds(lambda run=compiled: jax.block_until_ready(run(x, kernel, y)))
        report(name=name, product=product, ms=time)


def main() -> None:
    """Times what is asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("steps", "layers"))
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    memory.keep_freed_memory()  # as launch.py does
    peak = jax.jit(lambda a: a @ a)
    a = jnp.ones((2048, 2048))
    report(versions={"jax": jax.__version__}, device=str(jax.devices()[0].device_kind))
    report(peak_gflops=2e-6 * 2048**3 / milliseconds(lambda: peak(a).block_until_ready()))
    jobs, time = (STEPS, step) if arguments.what == "steps" else (LAYERS, layer)
    for name in arguments.names or jobs:
        time(name, jobs[name])


if __name__ == "__main__":
    main()
