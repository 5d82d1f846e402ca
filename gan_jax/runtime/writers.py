"""What a run tells: a file of metrics, TensorBoard, the console."""

import collections
import json
import math
import os
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, TextIO

import jax
import numpy as np
import tqdm
from etils import epath

from gan_jax.runtime import workdir


class MetricsFile:
    """`metrics.jsonl`: one JSON object a line: `step`, `images`, then numbers by name.

    It holds nothing that a clock produced, so equal runs write equal bytes. Lines up to a step are
    to be synced before the checkpoint of that step is saved; a resume cuts what came after, see
    `json_lines.cut`.

    Args:
      path: the file; its folder exists. Behind a URL, lines appear when they are synced.
    """

    def __init__(self, path: epath.PathLike):
        self._path = epath.Path(path)
        self._pending = ""

    def write(self, step: int, images: int, metrics: Mapping[str, Any]) -> None:
        """Appends a line, the names in order; what is not finite becomes null.

        A float32 is printed with as many digits as tell it from its neighbours.
        """
        line: dict[str, Any] = {"step": int(step), "images": int(images)}
        line |= {name: _number(metrics[name]) for name in sorted(metrics)}
        text = json.dumps(line, allow_nan=False) + "\n"
        if workdir.is_local(self._path):
            with open(self._path, "a", encoding="ascii") as file:
                file.write(text)
        else:
            self._pending += text  # object stores cannot append

    def sync(self) -> None:
        """Returns once every line is on disk."""
        if workdir.is_local(self._path):
            with open(self._path, "a", encoding="ascii") as file:
                os.fsync(file.fileno())
        elif self._pending:
            before = self._path.read_text() if self._path.exists() else ""
            self._path.write_text(before + self._pending)
            self._pending = ""


def _number(value: Any) -> int | float | None:
    """Returns `value` as Python's number that JSON prints shortest, None where it is not finite."""
    if isinstance(value, int | np.integer):
        return int(value)
    number = float(value)
    if not math.isfinite(number):
        return None
    with np.errstate(over="ignore"):  # a float64 beyond float32
        single = np.float32(number)
    return float(str(single)) if float(single) == number else number


class Board:
    """TensorBoard: curves and pictures. tensorboardX is imported when the first board is made.

    A view, not the record: a killed process takes the last ten seconds with it, and a resume does
    not bring them back. `metrics.jsonl` holds every line.

    Args:
      folder: where the event files go; None makes a board that does nothing.
      purge_step: N + 1 on a resume from step N: TensorBoard forgets what was written from there.
    """

    def __init__(self, folder: epath.PathLike | None, *, purge_step: int | None = None):
        self._writer: Any = None
        if folder is not None:
            import tensorboardX

            # A thread of its own writes every ten seconds; its flush() waits for nothing.
            self._writer = tensorboardX.SummaryWriter(
                os.fspath(folder), purge_step=purge_step, max_queue=100, flush_secs=10
            )

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Adds a point to the curve of each name."""
        if self._writer is not None:
            for name in sorted(values):
                self._writer.add_scalar(name, float(values[name]), step)

    def picture(self, step: int, name: str, picture: np.ndarray) -> None:
        """Adds a picture (H, W, C) uint8."""
        if self._writer is not None:
            self._writer.add_image(name, picture, step, dataformats="HWC")

    def close(self) -> None:
        """Writes what is pending and closes the file."""
        if self._writer is not None:
            self._writer.close()


class Bar(tqdm.tqdm):
    """A bar of something that is counted, on the terminal of the first process alone."""

    def __init__(self, total: int, what: str, unit: str):
        # None: not where stderr is no terminal.
        hidden = None if jax.process_index() == 0 else True
        super().__init__(total=total, desc=what, unit=f" {unit}", disable=hidden)

    def reach(self, done: int) -> None:
        """Tells how many are done."""
        self.update(done - self.n)


class Progress:
    """How far a run is, on stderr: a bar on a terminal, else a line at each `log`.

    The speed is that of the last half minute. It is counted from the first `update` on, so
    compilation is not in it.

    Args:
      total_steps: the step the run ends at.
      images_per_step: real images that one step sees.
      start: the step the run goes on from.
      enabled: False on every process but one; then nothing is written.
      stream: where to write, stderr by default.
      clock: seconds, for tests.
    """

    def __init__(
        self,
        total_steps: int,
        images_per_step: int,
        *,
        start: int = 0,
        enabled: bool = True,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._total, self._images_per_step, self._step = total_steps, images_per_step, start
        self._stream = (stream or sys.stderr) if enabled else None
        self._clock = clock
        self._seen: collections.deque[tuple[float, int]] = collections.deque()  # (time, step)
        self._losses = ""
        self._bar = None
        if self._stream is not None and self._stream.isatty():
            self._bar = tqdm.tqdm(
                total=total_steps,
                initial=start,
                file=self._stream,
                dynamic_ncols=True,
                bar_format="{percentage:3.0f}% |{bar}| step {n_fmt}/{total_fmt}{desc}",
            )

    def update(self, step: int) -> None:
        """Tells that `step` is reached. Cheap: the bar is drawn ten times a second at most."""
        now = self._clock()
        self._seen.append((now, step))
        while len(self._seen) > 2 and self._seen[1][0] < now - 30:
            self._seen.popleft()
        if self._bar is not None:
            self._bar.set_description_str(self._status(), refresh=False)
            self._bar.update(step - self._step)
        self._step = step

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """Shows the losses among the metrics of `step`, which may be behind the last `update`."""
        losses = [name for name in sorted(metrics) if name.endswith("loss")]
        self._losses = " | ".join(f"{name} {float(metrics[name]):.3g}" for name in losses)
        if self._bar is None:
            self.say(f"step {step}/{self._total}{self._status()}")

    def say(self, text: str) -> None:
        """Writes a line without tearing the bar."""
        if self._bar is not None:
            tqdm.tqdm.write(text, file=self._stream)
        elif self._stream is not None:
            print(text, file=self._stream, flush=True)

    @property
    def images_per_second(self) -> float:
        """The speed of the last half minute; 0 until two updates are known."""
        if len(self._seen) < 2 or self._seen[-1][0] <= self._seen[0][0]:
            return 0.0
        (begin, first), (end, last) = self._seen[0], self._seen[-1]
        return (last - first) * self._images_per_step / (end - begin)

    def _status(self) -> str:
        """Returns " | 6,912 images/s | 3:10 left | discriminator_loss 0.61"."""
        speed, parts = self.images_per_second, [self._losses]
        if speed:
            left = (self._total - self._seen[-1][1]) * self._images_per_step / speed
            parts = [f"{speed:,.0f} images/s", f"{_clock_time(left)} left", self._losses]
        return "".join(f" | {part}" for part in parts if part)

    def close(self) -> None:
        """Leaves the bar as it stands and ends its line."""
        if self._bar is not None:
            self._bar.close()


def _clock_time(seconds: float) -> str:
    """Returns 3:10, or 2:03:10 from an hour on."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
