"""What the metrics of a GAN say of its training, in plain words."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence

LINES = 10
"""Lines of metrics in a row that show a symptom before it is spoken of."""

Line = Mapping[str, float]


def symptoms(lines: Sequence[Line]) -> dict[str, str]:
    """Returns by name the signs of training that ends badly, of which each of the lines shows one.

    The bounds are rules of thumb. What a line does not tell is no symptom.
    """
    return {
        name: text(lines)
        for name, (shows, text) in _SYMPTOMS.items()
        if lines and all(shows(line) for line in lines) and not _is_mending(name, lines)
    }


def _share(line: Line) -> float:
    """How much fakes differ from each other, as a share of what reals do."""
    return line.get("fake_spread", 1.0) / max(line.get("real_spread", 1.0), 1e-12)


def _times(line: Line) -> float:
    """How many times as steep the discriminator is at fakes as at reals."""
    return line.get("fake_slope", 1.0) / max(line.get("real_slope", 1.0), 1e-12)


def _has_won(line: Line) -> bool:
    """It is right and sure of it: then every loss that has signs is near 0 (no smoothed one is)."""
    right = line.get("real_signs", 0.0) > 0.98 and line.get("fake_signs", 0.0) < -0.98
    return right and line.get("discriminator_loss", 1.0) < 0.05


def _is_mending(name: str, lines: Sequence[Line]) -> bool:
    """Fakes that are alike at first come to differ: whose share grows are not collapsing."""
    return name == "collapse" and _share(lines[-1]) > 1.1 * _share(lines[0])


_SYMPTOMS: Mapping[str, tuple[Callable[[Line], bool], Callable[[Sequence[Line]], str]]] = {
    "collapse": (
        lambda line: _share(line) < 0.75,
        lambda lines: (
            f"fakes differ from each other {_share(lines[-1]):.0%} as much as reals do, and no "
            "more than before: the generator may be collapsing to a few modes. A relativistic loss "
            "with R1 and R2 penalties resists that"
        ),
    ),
    "won": (
        _has_won,
        lambda lines: (
            "the discriminator tells reals from fakes nearly without error: it may have won, and "
            "the generator learns little from it. Try heavier penalties or augmentation"
        ),
    ),
    "explosion": (
        lambda line: _times(line) > 10,
        lambda lines: (
            f"the discriminator is {_times(lines[-1]):.3g} times as steep at fakes as at reals: "
            "training may be about to diverge. R2, the penalty at fakes, holds that down"
        ),
    ),
}


class Watch:
    """Speaks of a symptom once it has lasted, and not again until a line does not show it."""

    def __init__(self) -> None:
        self._lines: deque[Line] = deque(maxlen=LINES)
        self._said: set[str] = set()

    def look(self, line: Line) -> list[str]:
        """Returns what is to be said after one more line of metrics."""
        self._lines.append(line)
        self._said = {name for name in self._said if _SYMPTOMS[name][0](line)}
        found = symptoms(list(self._lines)) if len(self._lines) == LINES else {}
        new = {name: text for name, text in found.items() if name not in self._said}
        self._said |= new.keys()
        return list(new.values())
