"""Batch normalization, over all devices, with gain and bias by class or by vector where asked."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from gan_jax.axis import mean_over
from gan_jax.errors import InputError
from gan_jax.nn.dense import Dense

Array = jax.Array


class BatchNorm(nn.Module):
    """Normalizes each channel by its mean and variance over the batch and all positions.

        y = (x - mean) / sqrt(var + epsilon) * gain + bias

    Without classes gain and bias are the parameters "scale" (C,), 1 at first, and "bias" (C,), 0 at
    first. With classes they go by the label k: gain = 1 + gain[k], bias = bias[k], of the tables
    "gain" and "bias" (num_classes, C), both 0 at first, so that weight decay pulls gains to 1. With
    vectors v, gain = 1 + v W_gain and bias = v W_bias, of the layers "gain" and "bias".

    The collection "batch_stats" holds "mean" and "var" (C,), which each training pass moves to
    `momentum * old + (1 - momentum) * batch`; the variance is divided by n, not by n - 1. All is
    computed in float32, and the variance from the differences to the mean: as a mean of squares
    less the square of the mean, it would be rounding where the mean is large.

    Attributes:
      num_classes: for gain and bias by label.
      momentum: of the running statistics.
      epsilon: added to the variance.
      axis_name: the mapped axis whose devices share a batch; None under plain `jit`.
      dtype: of the result.
      spectral: whether W_gain and W_bias are spectrally normalized.
      kernel_init: draws them.

    Reference: Ioffe & Szegedy 2015, "Batch normalization", algorithm 1; de Vries et al. 2017,
    "Modulating early visual processing by language", section 3 (gain and bias as changes); Brock et
    al. 2019, "Large scale GAN training for high fidelity natural image synthesis" (vectors).
    """

    num_classes: int | None = None
    momentum: float = 0.9
    epsilon: float = 1e-5
    axis_name: str | None = None
    dtype: Any = jnp.float32
    spectral: bool = False
    kernel_init: Any = nn.initializers.lecun_normal()

    @nn.compact
    def __call__(self, x: Array, condition: Array | None = None, *, train: bool) -> Array:
        """Normalizes x (B, ..., C).

        Args:
          x: (B, ..., C).
          condition: labels (B,) int32 where there are classes, or vectors (B, D).
          train: whether to use the batch's statistics, and not the running ones. These move where
            their collection is mutable.

        Raises:
          InputError: there are classes and no labels.
        """
        wide, channels = jnp.asarray(x, jnp.float32), x.shape[-1:]
        running_mean = self.variable("batch_stats", "mean", jnp.zeros, channels)
        running_var = self.variable("batch_stats", "var", jnp.ones, channels)
        mean, var = running_mean.value, running_var.value
        if train:
            axes = range(x.ndim - 1)
            axis_name = None if self.is_initializing() else self.axis_name
            mean = mean_over(wide.mean(axes), axis_name)
            var = mean_over(jnp.square(wide - mean).mean(axes), axis_name)
            if not self.is_initializing() and self.is_mutable_collection("batch_stats"):
                for running, batch in ((running_mean, mean), (running_var, var)):
                    running.value = self.momentum * running.value + (1 - self.momentum) * batch
        gain, bias = self._gain_and_bias(condition, x.shape, train=train)
        normalized = (wide - mean) * jax.lax.rsqrt(var + self.epsilon)
        return (normalized * gain + bias).astype(self.dtype)

    def _gain_and_bias(
        self, condition: Array | None, shape: tuple[int, ...], *, train: bool
    ) -> tuple[Any, Any]:
        ones, zeros, channels = nn.initializers.ones, nn.initializers.zeros, shape[-1]
        vectors = condition is not None and condition.ndim == 2
        if self.num_classes is None and not vectors:
            return self.param("scale", ones, (channels,)), self.param("bias", zeros, (channels,))
        if condition is None:
            raise InputError("a batch normalization by class needs labels, and got none")

        def of_condition(name: str) -> Any:
            if not vectors:
                table: Any = self.param(name, zeros, (self.num_classes, channels))
                return jnp.take(table, condition, axis=0)
            linear = Dense(
                channels,
                use_bias=False,
                spectral=self.spectral,
                kernel_init=self.kernel_init,
                name=name,
            )
            return linear(condition, train=train)

        rows = (shape[0], *[1] * (len(shape) - 2), channels)
        gain, bias = (of_condition(name).reshape(rows) for name in ("gain", "bias"))
        return 1 + gain, bias
