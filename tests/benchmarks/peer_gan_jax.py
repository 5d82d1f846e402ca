"""The MLP job in gan_jax: the compiled update as the training loop calls it. Run by mlp_job.py.

Several steps a call under pmap, the state donated, the data resident on the device as uint8, feeds
made ahead by the loader's thread. The averaged generator is kept in both recipes.
"""

import argparse
from collections import deque
from typing import Any

import job
import numpy as np
from job import BATCH, Inputs, Layers, Recipe


def build(recipe: Recipe, optimizer: str, arguments: argparse.Namespace) -> job.Job:
    """Returns the job in gan_jax."""
    import jax
    import optax

    import gan_jax
    from gan_jax.data.loader import Loader, decode, prefetch
    from gan_jax.data.plan import IndexPlan
    from gan_jax.data.source import ArraySource
    from gan_jax.models.activations import leaky_relu
    from gan_jax.runtime import parallel
    from gan_jax.runtime.cache import cache_compiled_programs, versions

    cache_compiled_programs()

    def descent() -> optax.GradientTransformation:
        if optimizer == "sgd":
            return optax.sgd(job.SGD_RATE)
        return optax.adam(recipe.rate, *recipe.betas)

    hidden = leaky_relu if recipe.slope else jax.nn.relu
    penalties = [(gan_jax.penalties.r1, recipe.penalty), (gan_jax.penalties.r2, recipe.penalty)]
    algorithm = gan_jax.gan(
        generator=gan_jax.mlp.MLPGenerator(job.IMAGE_SHAPE, job.GENERATOR[1:-1], hidden),
        discriminator=gan_jax.mlp.MLPDiscriminator(job.DISCRIMINATOR[1:-1], hidden),
        generator_optimizer=descent(),
        discriminator_optimizer=descent(),
        loss=gan_jax.losses.LOSSES["relativistic" if recipe.relativistic else "non_saturating"],
        image_shape=job.IMAGE_SHAPE,
        latent_dim=job.LATENT,
        penalties=penalties if recipe.penalty else (),
        ema=recipe.decay,
        axis_name=parallel.AXIS,
    )
    call = parallel.pmapped(parallel.several_steps(algorithm.update, decode))

    images = job.images()
    source = ArraySource(name="random", split="train", fingerprint="", images=images)
    loader = Loader(
        source,
        IndexPlan(0, job.EXAMPLES),
        minibatches=algorithm.minibatches,
        batch_size=BATCH,
        local_devices=jax.local_device_count(),
    )
    resident = parallel.replicate({"image": images})
    state = _with_first_weights(jax.jit(algorithm.init)(jax.random.key(0)))
    state, done, per_call = parallel.replicate(state), 0, arguments.steps_per_call

    def make(start: int, steps: int) -> Any:
        return parallel.shard(loader(start, steps))

    def run(steps: int) -> None:
        nonlocal state, done
        starts = range(done, done + steps, per_call)
        flying = deque()
        for feed in prefetch(lambda start: make(start, per_call), iter(starts)):
            state, metrics = call(state, resident, feed)
            flying.append(metrics)
            if len(flying) > 1:  # as many calls in flight as the training loop allows
                jax.block_until_ready(flying.popleft())
        jax.block_until_ready(state)
        done += steps

    def check(path: str) -> dict[str, np.ndarray]:
        nonlocal state
        inputs, losses = [], []
        for step in range(job.CHECKED_STEPS):
            feed = make(step, 1)
            inputs.append(_inputs(state, jax.tree.map(lambda x: x[0, 0], feed), images))
            state, metrics = call(state, resident, feed)
            names = ("discriminator_loss", "generator_loss")
            losses.append(tuple(float(metrics[name]) for name in names))
        np.savez(path, **Inputs(*map(np.stack, zip(*inputs, strict=True)))._asdict())
        return job.checked_results(
            losses,
            generator=_layers(state.generator.params),
            discriminator=_layers(state.discriminator.params),
            **({"average": _layers(state.ema["params"])} if recipe.decay else {}),
        )

    return job.Job(run, check, versions(), per_call)


def _with_first_weights(state: Any) -> Any:
    """Returns `state` with the weights that every peer starts from."""

    def params(widths: tuple[int, ...], seed: int) -> dict[str, dict[str, np.ndarray]]:
        return {
            f"Dense_{i}": {"kernel": kernel, "bias": bias}
            for i, (kernel, bias) in enumerate(job.first_weights(widths, seed))
        }

    weights, critic = params(job.GENERATOR, 1), params(job.DISCRIMINATOR, 2)
    return state.replace(
        generator=state.generator.replace(params=weights),
        discriminator=state.discriminator.replace(params=critic),
        ema={"params": weights},
    )


def _layers(params: Any) -> Layers:
    layers = (params[f"Dense_{i}"] for i in range(len(params)))
    return [(np.asarray(layer["kernel"]), np.asarray(layer["bias"])) for layer in layers]


def _inputs(state: Any, feed: Any, images: np.ndarray) -> Inputs:
    """Returns what the coming update will read: the same draws, made here outside of it."""
    import jax.numpy as jnp

    from gan_jax.data.loader import to_unit_range
    from gan_jax.rng import key_for, keys_for, normal, substream

    def z(phase: str, minibatch: int) -> np.ndarray:
        keys = keys_for(key_for(state.key, phase, state.step), feed["index"][minibatch])
        return np.asarray(normal(substream(keys, "z"), (job.LATENT,)))

    real = np.asarray(to_unit_range(jnp.asarray(images[feed["example"]])))
    return Inputs(real[0], z("discriminator", 0), real[-1], z("generator", -1))


if __name__ == "__main__":
    job.serve(build)
