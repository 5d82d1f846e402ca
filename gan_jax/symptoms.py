"""What the metrics of a GAN say of its training, in plain words."""

from collections.abc import Mapping

LINES = 10
"""Lines of metrics in a row that show a symptom before it is spoken of."""


def symptoms(metrics: Mapping[str, float]) -> dict[str, str]:
    """Returns by name the signs, in a line of metrics, of training that ends badly.

    The bounds are rules of thumb, well outside of what the recipes here show that end well, and
    inside of what those show that do not.
    """
    found = {}
    share = metrics["fake_spread"] / max(metrics["real_spread"], 1e-12)
    if share < 0.75:
        found["collapse"] = (
            f"fakes differ from each other {share:.0%} as much as reals do: the generator may be "
            "collapsing to a few modes. A relativistic loss with R1 and R2 penalties resists that"
        )
    if metrics.get("real_signs", 0) > 0.98 and metrics.get("fake_signs", 0) < -0.98:
        found["won"] = (
            "the discriminator tells reals from fakes nearly without error: it may have won, and "
            "the generator learns little from it. Try heavier penalties or augmentation"
        )
    times = metrics["fake_slope"] / max(metrics["real_slope"], 1e-12)
    if times > 10:
        found["explosion"] = (
            f"the discriminator is {times:.3g} times as steep at fakes as at reals: training may "
            "be about to diverge. R2, the penalty at fakes, holds that down"
        )
    return found


class Watch:
    """Speaks of a symptom once it has lasted, and not again until it has gone away."""

    def __init__(self) -> None:
        self._lasted: dict[str, int] = {}

    def look(self, metrics: Mapping[str, float]) -> list[str]:
        """Returns what is to be said after one more line of metrics."""
        found = symptoms(metrics)
        self._lasted = {name: self._lasted.get(name, 0) + 1 for name in found}
        return [text for name, text in found.items() if self._lasted[name] == LINES]
