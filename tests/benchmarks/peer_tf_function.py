"""The MLP job as a `tf.function`: Keras networks and optimizers. Run by mlp_job.py.

One graph a step, data and noise drawn inside it, one discriminator pass over reals and fakes
together. `--xla` compiles it with XLA too, which is what gan_jax compiles with.
"""

import argparse
import os

import job
import numpy as np
from job import BATCH, Inputs, Layers, Recipe


def build(recipe: Recipe, optimizer: str, arguments: argparse.Namespace) -> job.Job:
    """Returns the job in TensorFlow."""
    os.environ["KERAS_BACKEND"] = "tensorflow"
    import keras
    import tensorflow as tf

    def network(widths: tuple[int, ...], seed: int, output: str) -> keras.Sequential:
        model = keras.Sequential([keras.Input((widths[0],))])
        for width in widths[1:-1]:
            model.add(keras.layers.Dense(width))
            model.add(keras.layers.LeakyReLU(recipe.slope) if recipe.slope else keras.layers.ReLU())
        model.add(keras.layers.Dense(widths[-1], activation=output))
        model.set_weights([array for layer in job.first_weights(widths, seed) for array in layer])
        return model

    generator = network(job.GENERATOR, 1, "tanh")
    discriminator = network(job.DISCRIMINATOR, 2, "linear")
    weights, critic_weights = generator.trainable_variables, discriminator.trainable_variables
    average = [tf.Variable(weight.value) for weight in weights]

    def descent(variables: list[keras.Variable]) -> keras.Optimizer:
        if optimizer == "sgd":
            result = keras.optimizers.SGD(job.SGD_RATE)
        else:
            result = keras.optimizers.Adam(recipe.rate, *recipe.betas, epsilon=1e-8)
        result.build(variables)
        return result

    generator_optimizer, discriminator_optimizer = descent(weights), descent(critic_weights)

    def discriminator_step(real: tf.Tensor, z: tf.Tensor) -> tf.Tensor:
        both = tf.concat([real, generator(z)], 0)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch([weight.value for weight in critic_weights])
            if recipe.penalty:
                with tf.GradientTape(watch_accessed_variables=False) as inner:
                    inner.watch(both)
                    logits = discriminator(both)
                slopes = inner.gradient(logits, both)  # of their sum
            else:
                logits = discriminator(both)
            real_logits, fake_logits = tf.split(logits, 2)
            if recipe.relativistic:
                loss = tf.reduce_mean(tf.nn.softplus(fake_logits - real_logits))
            else:
                loss = tf.reduce_mean(tf.nn.softplus(-real_logits) + tf.nn.softplus(fake_logits))
            total = loss
            if recipe.penalty:
                # The mean over the reals plus the mean over the fakes.
                total += recipe.penalty * 0.5 * tf.reduce_sum(tf.square(slopes)) / BATCH
        gradients = tape.gradient(total, [weight.value for weight in critic_weights])
        discriminator_optimizer.apply_gradients(zip(gradients, critic_weights, strict=True))
        return loss

    def generator_step(real: tf.Tensor | None, z: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch([weight.value for weight in weights])
            fake_logits = discriminator(generator(z))
            if recipe.relativistic:
                loss = tf.reduce_mean(tf.nn.softplus(discriminator(real) - fake_logits))
            else:
                loss = tf.reduce_mean(tf.nn.softplus(-fake_logits))
        gradients = tape.gradient(loss, [weight.value for weight in weights])
        generator_optimizer.apply_gradients(zip(gradients, weights, strict=True))
        if recipe.decay:
            for old, new in zip(average, weights, strict=True):
                old.assign_add((1 - recipe.decay) * (new.value - old))
        return loss

    @tf.function(jit_compile=arguments.xla)
    def step(inputs: Inputs) -> tuple[tf.Tensor, tf.Tensor]:
        return (
            discriminator_step(inputs.real, inputs.z),
            generator_step(inputs.generator_real, inputs.generator_z),
        )

    images = tf.constant(job.images().reshape(job.EXAMPLES, -1))

    def reals() -> tf.Tensor:
        chosen = tf.random.uniform((BATCH,), 0, job.EXAMPLES, tf.int32)
        return tf.cast(tf.gather(images, chosen), tf.float32) / 127.5 - 1

    @tf.function(jit_compile=arguments.xla)
    def drawn_step() -> None:
        noise = tf.random.normal((2, BATCH, job.LATENT))
        discriminator_step(reals(), noise[0])
        generator_step(reals() if recipe.relativistic else None, noise[1])

    def run(steps: int) -> None:
        for _ in range(steps):
            drawn_step()
        weights[0].numpy()  # waits

    def layers(variables: list) -> Layers:
        arrays = [np.asarray(variable) for variable in variables]
        return list(zip(arrays[::2], arrays[1::2], strict=True))

    def check(path: str) -> dict[str, np.ndarray]:
        losses = []
        for inputs in job.checked_inputs(path):
            tensors = (tf.constant(x.reshape(BATCH, -1)) for x in inputs)
            losses.append(tuple(float(loss) for loss in step(Inputs(*tensors))))
        return job.checked_results(
            losses,
            generator=layers(weights),
            discriminator=layers(critic_weights),
            **({"average": layers(average)} if recipe.decay else {}),
        )

    return job.Job(run, check, {"tensorflow": tf.__version__, "keras": keras.__version__})


if __name__ == "__main__":
    job.serve(build)
