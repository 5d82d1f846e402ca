"""The article's job as its Keras loop has it, mended to run. Run by mlp_job.py.

The well-known loop: a compiled discriminator, a stacked model of generator and frozen
discriminator, and a step that is `train_on_batch` on 128 reals, on 128 fakes, and on the stack. The
discriminator so takes two half steps of Adam where the other peers take one: not the same
mathematics, but the loop that people run. With `--tutorial` the fakes come from `predict`, as that
loop has it; without, from `predict_on_batch`, the quickest of Keras' ways to call a model there.
"""

import argparse
import functools
import os

import job
import numpy as np
from job import BATCH, Recipe


def build(recipe: Recipe, optimizer: str, arguments: argparse.Namespace) -> job.Job:
    """Returns the job in Keras; only the article's recipe can be put this way."""
    assert recipe == job.RECIPES["article"]
    assert optimizer == "adam"
    os.environ["KERAS_BACKEND"] = "tensorflow"
    import keras
    import tensorflow as tf

    def network(widths: tuple[int, ...], seed: int, output: str) -> keras.Sequential:
        model = keras.Sequential([keras.Input((widths[0],))])
        for width in widths[1:-1]:
            model.add(keras.layers.Dense(width, activation="relu"))
        model.add(keras.layers.Dense(widths[-1], activation=output))
        model.set_weights([array for layer in job.first_weights(widths, seed) for array in layer])
        return model

    def compiled(model: keras.Model) -> keras.Model:
        model.compile(
            loss=keras.losses.BinaryCrossentropy(from_logits=True),
            optimizer=keras.optimizers.Adam(recipe.rate, *recipe.betas),
        )
        return model

    generator = network(job.GENERATOR, 1, "tanh")
    discriminator = compiled(network(job.DISCRIMINATOR, 2, "linear"))
    stacked = compiled(keras.Sequential([generator, discriminator]))
    images = job.images().reshape(job.EXAMPLES, -1).astype(np.float32) / 127.5 - 1
    ones, zeros = np.ones((BATCH, 1), np.float32), np.zeros((BATCH, 1), np.float32)
    rng = np.random.default_rng(0)
    predict = generator.predict_on_batch
    if arguments.tutorial:
        predict = functools.partial(generator.predict, verbose=0)

    def noise() -> np.ndarray:
        return rng.standard_normal((BATCH, job.LATENT), np.float32)

    def step() -> None:
        real = images[rng.integers(job.EXAMPLES, size=BATCH)]
        fake = predict(noise())
        discriminator.train_on_batch(real, ones)
        discriminator.train_on_batch(fake, zeros)
        if discriminator.trainable:
            # Keras 3 reads this when a model first trains, not when it is compiled: the
            # discriminator has trained above, the stack trains below for the first time.
            discriminator.trainable = False
        stacked.train_on_batch(noise(), ones)

    def run(steps: int) -> None:
        for _ in range(steps):
            step()

    return job.Job(run, None, {"keras": keras.__version__, "tensorflow": tf.__version__})


if __name__ == "__main__":
    job.serve(build)
