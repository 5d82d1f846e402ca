"""What a data set looks like: a report, a readable table of it, and a grid of its images."""

import hashlib
from typing import Any

import numpy as np
from etils import epath

from gan_jax.data.images import to_unit_range
from gan_jax.data.source import Source, blocks
from gan_jax.data.statistics import mean_and_deviation
from gan_jax.runtime import grid, workdir

# How many classes the table lists; the report lists all.
_ROWS = 50


def inspect(source: Source, folder: epath.PathLike) -> str:
    """Writes `inspection.json` and `inspection.png` (100 images of the split, evenly spaced).

    Args:
      source: The split to look at; all of it is read.
      folder: Where the two files go, whole or not at all. Made where it is missing.

    Returns:
      The report as a readable table.

    Raises:
      InputError: `folder` cannot be written; known, as a rule, before anything is read.
    """
    folder = epath.Path(folder)
    workdir.check_writable(folder)
    summary = report(source)
    shown = 5000 if grid.is_points(source.image_shape) else 100  # a scatter plot bears more
    indices = np.linspace(0, len(source) - 1, min(shown, len(source))).astype(np.int64)
    grid.write_grid(folder / "inspection.png", to_unit_range(source.read(indices)["image"]))
    workdir.write_json(folder / "inspection.json", summary)
    return table(summary)


def report(source: Source) -> dict[str, Any]:
    """Describes a split in JSON-able numbers; mean, deviation and range are of [-1, 1]."""
    mean, deviation = mean_and_deviation(source)
    seen: set[bytes] = set()
    minimum, maximum = np.inf, -np.inf
    for block in blocks(len(source)):
        images = source.read(block)["image"]
        seen.update(hashlib.blake2b(image.tobytes(), digest_size=16).digest() for image in images)
        pixels = to_unit_range(images)
        minimum, maximum = min(minimum, pixels.min()), max(maximum, pixels.max())
    return {
        "name": source.name,
        "split": source.split,
        "examples": len(source),
        "image_shape": list(source.image_shape),
        "dtype": str(images.dtype),
        "classes": _classes(source),
        "mean": mean.tolist(),
        "deviation": deviation.tolist(),
        "minimum": float(minimum),
        "maximum": float(maximum),
        "duplicates": len(source) - len(seen),
        "cleaning": dict(source.cleaning),
        "fingerprint": source.fingerprint,
        "location": source.location,
    }


def _classes(source: Source) -> dict[str, int] | None:
    if source.labels is None:
        return None
    counts = np.bincount(source.labels, minlength=len(source.class_names))
    return dict(zip(source.class_names, counts.tolist(), strict=True))


def table(report: dict[str, Any]) -> str:
    """Lays a report out as aligned text."""
    rows = [
        ("examples", f"{report['examples']:,}"),
        ("image", f"{' x '.join(map(str, report['image_shape']))} {report['dtype']}"),
        ("mean", _numbers(report["mean"])),
        ("deviation", _numbers(report["deviation"])),
        ("range", f"{report['minimum']:.4f} to {report['maximum']:.4f}"),
        ("duplicates", f"{report['duplicates']:,}"),
        ("dropped", _dropped(report["cleaning"])),
        ("fingerprint", report["fingerprint"]),
        ("prepared in", report["location"] or "memory"),
        ("classes", f"{len(report['classes']):,}" if report["classes"] else "none"),
    ]
    lines = [f"{report['name']}, {report['split']}"]
    lines += [f"  {title:<12} {value}" for title, value in rows]
    return "\n".join(lines + _class_lines(report["classes"] or {}, report["examples"]))


def _numbers(values: list[float]) -> str:
    return "  ".join(f"{value:.4f}" for value in values)


def _dropped(cleaning: dict[str, Any]) -> str:
    """Words what cleaning dropped: "3 unreadable (2 damaged, 1 empty file), 7 duplicates"."""
    parts = []
    if reasons := cleaning.get("unreadable"):
        detail = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))
        parts.append(f"{sum(reasons.values())} unreadable ({detail})")
    if cleaning.get("duplicates_dropped") and cleaning["duplicates"]:
        parts.append(f"{cleaning['duplicates']} duplicates")
    return ", ".join(parts) or "nothing"


def _class_lines(classes: dict[str, int], examples: int) -> list[str]:
    width = max([12, *(len(name) for name in list(classes)[:_ROWS])])
    lines = [
        f"    {name:<{width}} {count:>9,}  {count / examples:6.2%}"
        for name, count in list(classes.items())[:_ROWS]
    ]
    if len(classes) > _ROWS:
        counts = list(classes.values())[_ROWS:]
        lines.append(f"    and {len(counts):,} more, of {min(counts):,} to {max(counts):,} each")
    return lines
