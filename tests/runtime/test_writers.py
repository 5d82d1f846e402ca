"""The metrics file byte by byte, TensorBoard's own events, a real terminal."""

import contextlib
import fcntl
import io
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.runtime import json_lines, writers
from gan_jax.runtime.writers import Bar, Board, MetricsFile, Progress

ROOT = Path(__file__).parents[2]

# ---- metrics.jsonl -------------------------------------------------------------------------------


def test_a_line_holds_step_and_images_then_the_names_in_order(tmp_path):
    metrics = MetricsFile(tmp_path / "m.jsonl")
    metrics.write(100, 12800, {"b": 2, "a": np.float32(0.1), "c": jnp.float32(1 / 3)})
    metrics.write(np.int32(200), np.int64(2**40), {"d": 0.1, "e": 1e300, "f": np.float64(1 / 3)})
    assert (tmp_path / "m.jsonl").read_text() == (
        '{"step": 100, "images": 12800, "a": 0.1, "b": 2, "c": 0.33333334}\n'
        '{"step": 200, "images": 1099511627776, "d": 0.1, "e": 1e+300, "f": 0.3333333333333333}\n'
    )


def test_every_float32_comes_back_bit_for_bit(tmp_path):
    bits = np.random.default_rng(0).integers(0, 2**32, 3000, np.uint32)
    values = np.concatenate([bits.view(np.float32), np.float32([0, -0.0, 1e-45, 3.4028235e38])])
    values = values[np.isfinite(values)]
    metrics = MetricsFile(tmp_path / "m.jsonl")
    for given in (values, values.tolist()):  # as float32, and as Python has it after float()
        metrics.write(1, 1, {f"{i:05}": v for i, v in enumerate(given)})
    for line in (tmp_path / "m.jsonl").read_text().splitlines():
        read = np.array(list(json.loads(line).values())[2:], np.float32)
        np.testing.assert_array_equal(read.view(np.uint32), values.view(np.uint32))


def test_what_is_not_finite_is_null_and_the_file_stays_json(tmp_path):
    metrics = MetricsFile(tmp_path / "m.jsonl")
    metrics.write(1, 1, {"a": np.nan, "b": -np.inf, "c": jnp.float32(jnp.inf)})
    metrics.sync()
    line = (tmp_path / "m.jsonl").read_text()
    assert line == '{"step": 1, "images": 1, "a": null, "b": null, "c": null}\n'


def filled(path, steps):
    metrics = MetricsFile(path)
    for step in steps:
        metrics.write(step, 128 * step, {"loss": step / 7})
    metrics.sync()
    return metrics


def test_a_resume_cuts_later_and_torn_lines_and_goes_on(tmp_path):
    filled(tmp_path / "whole.jsonl", range(10))
    whole = (tmp_path / "whole.jsonl").read_bytes()
    for lost in range(60):  # kill -9 within any byte of the last line
        path = tmp_path / "torn.jsonl"
        path.write_bytes(whole[: len(whole) - lost])
        json_lines.cut(path, 5)
        metrics = MetricsFile(path)
        for step in range(6, 10):
            metrics.write(step, 128 * step, {"loss": step / 7})
        assert path.read_bytes() == whole
    assert sorted(os.listdir(tmp_path)) == ["torn.jsonl", "whole.jsonl"]


@pytest.mark.parametrize(
    "tail", [b'{"step": 3, "ima', b'{"step": 3}', b"\0\0\0\n", b"7\n", b"{}\n"]
)
def test_a_torn_line_never_joins_the_next(tmp_path, tail):
    path = tmp_path / "m.jsonl"
    filled(path, [1, 2])
    good = path.read_bytes()
    path.write_bytes(good + tail)
    json_lines.cut(path, 3)
    assert path.read_bytes() == good


def test_a_cut_changes_nothing_where_there_is_nothing_to_cut(tmp_path):
    path = tmp_path / "m.jsonl"
    json_lines.cut(path, 5)
    assert not path.exists()
    filled(path, [1, 2])
    before = path.stat()
    json_lines.cut(path, 2)
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_sync_reaches_the_disk(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda fd: synced.append(os.fstat(fd)))
    filled(tmp_path / "m.jsonl", [1, 2])
    (stat,) = synced
    assert stat.st_ino == (tmp_path / "m.jsonl").stat().st_ino
    assert stat.st_size == (tmp_path / "m.jsonl").stat().st_size > 0


def test_behind_a_url_the_file_is_rewritten_on_sync(tmp_path, monkeypatch):
    monkeypatch.setattr(writers.workdir, "is_local", lambda path: False)
    path = tmp_path / "m.jsonl"
    metrics = filled(path, [1, 2])
    metrics.write(3, 3, {})
    assert len(path.read_text().splitlines()) == 2
    metrics.sync()
    metrics.sync()
    assert [json.loads(line)["step"] for line in path.read_text().splitlines()] == [1, 2, 3]


# ---- TensorBoard ---------------------------------------------------------------------------------


def events(folder):
    """Reads TensorBoard's record files: length, its crc, the event, its crc."""
    from tensorboardX.proto.event_pb2 import Event

    for file in sorted(folder.iterdir()):
        data = file.read_bytes()
        while data:
            (length,) = struct.unpack("<Q", data[:8])
            yield Event.FromString(data[12 : 12 + length])
            data = data[16 + length :]


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_scalars_and_pictures_reach_tensorboard(tmp_path, channels):
    board = Board(tmp_path / "tensorboard")
    board.scalars(7, {"loss": np.float32(0.5), "images_per_second": 100})
    board.picture(7, "samples", np.zeros((5, 6, channels), np.uint8))
    board.close()
    written = [e for e in events(tmp_path / "tensorboard") if e.HasField("summary")]
    assert {e.step for e in written} == {7}
    values = {v.tag: v for e in written for v in e.summary.value}
    assert values["loss"].simple_value == 0.5
    assert values["images_per_second"].simple_value == 100
    assert (values["samples"].image.height, values["samples"].image.width) == (5, 6)


def test_a_resume_makes_tensorboard_forget_what_came_after(tmp_path):
    board = Board(tmp_path, purge_step=1001)
    board.close()
    (start,) = [e for e in events(tmp_path) if e.HasField("session_log")]
    assert start.step == 1001


def test_a_board_without_a_folder_does_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    board = Board(None)
    board.scalars(1, {"a": 1})
    board.picture(1, "a", np.zeros((2, 2, 1), np.uint8))
    board.close()
    assert not list(tmp_path.iterdir())


def test_tensorboard_is_imported_late():
    code = "import sys, gan_jax.runtime.writers; assert 'tensorboardX' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


# ---- the console ---------------------------------------------------------------------------------


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


LOSSES = {"generator_loss": np.float32(0.7199), "discriminator_loss": 0.61, "r1": 3.0}


def test_without_a_terminal_a_line_at_each_log():
    clock, stream = Clock(), io.StringIO()
    progress = Progress(12000, 128, stream=stream, clock=clock)
    progress.log(0, LOSSES)
    for step in range(0, 1001, 10):
        progress.update(step)
        clock.now += 10 / 54  # 54 steps a second
    progress.say("saved")
    progress.log(1000, LOSSES)
    progress.close()
    assert stream.getvalue().splitlines() == [
        "step 0/12000 | discriminator_loss 0.61 | generator_loss 0.72",
        "saved",
        "step 1000/12000 | 6,912 images/s | 3:24 left | discriminator_loss 0.61 | "
        "generator_loss 0.72",
    ]


def test_the_speed_is_that_of_the_last_half_minute():
    clock = Clock()
    progress = Progress(10**6, 10, stream=io.StringIO(), clock=clock)
    assert progress.images_per_second == 0
    progress.update(500)  # compilation came before this one: it does not count
    assert progress.images_per_second == 0
    for step in range(501, 601):
        clock.now += 1  # slow: 10 images/s
        progress.update(step)
    assert progress.images_per_second == pytest.approx(10)
    for step in range(700, 5000, 100):
        clock.now += 1
        progress.update(step)
    assert progress.images_per_second == pytest.approx(1000)


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.4, "0:00"), (59.7, "1:00"), (3599.6, "1:00:00"), (7390, "2:03:10")]
)
def test_the_time_left(seconds, said):
    clock, stream = Clock(), io.StringIO()
    progress = Progress(2, 1, stream=stream, clock=clock)
    progress.update(0)
    clock.now += seconds
    progress.update(1)
    progress.log(1, {})
    assert f"| {said} left" in stream.getvalue()


def test_a_process_that_is_not_to_speak_is_silent(capfd):
    progress = Progress(10, 1, enabled=False)
    progress.update(1)
    progress.log(1, LOSSES)
    progress.say("hello")
    progress.close()
    assert capfd.readouterr() == ("", "")


def test_stderr_is_where_it_goes(capsys):
    Progress(10, 1).say("hello")
    assert capsys.readouterr() == ("", "hello\n")


def screen(written):
    """Returns the lines that a terminal shows in the end: \\r goes back, \\n goes on."""
    lines, column = [""], 0
    for piece in re.findall(r"[\r\n]|[^\r\n]+", written.replace("\r\n", "\n")):
        if piece == "\n":
            lines.append("")
        if piece in "\r\n":
            column = 0
        else:
            lines[-1] = lines[-1][:column] + piece + lines[-1][column + len(piece) :]
            column += len(piece)
    return [line.rstrip() for line in lines]


def read_all(keyboard):
    """Reads what a terminal was sent, which comes in pieces, once its other end is closed."""
    pieces = []
    with contextlib.suppress(OSError):
        while piece := os.read(keyboard, 4096):
            pieces.append(piece)
    os.close(keyboard)
    return b"".join(pieces).decode()


def test_on_a_terminal_a_bar_that_messages_do_not_tear():
    keyboard, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 130, 0, 0))
    clock = Clock()
    with open(terminal, "w") as stream:
        progress = Progress(300, 128, start=100, stream=stream, clock=clock)
        for step in range(101, 301):
            clock.now += 0.1
            progress.update(step)
            if step == 200:
                progress.log(step, LOSSES)
                progress.say("checkpoint 200 saved")
        progress.close()
    written = read_all(keyboard)
    shown = [line for line in screen(written) if line]
    assert shown[0] == "checkpoint 200 saved"
    (bar,) = shown[1:]
    assert re.fullmatch(
        r"100% \|█+\| step 300/300 \| 1,280 images/s \| 0:00 left "
        r"\| discriminator_loss 0.61 \| generator_loss 0.72",
        bar,
    )


# ---- a bar of what is counted --------------------------------------------------------------------


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(("process", "shown"), [(0, True), (1, False)])
def test_a_bar_is_shown_by_one_process(process, shown, monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setattr(writers.jax, "process_index", lambda: process)
    with Bar(10, "step 3", "images") as bar:
        bar.reach(4)
        bar.reach(10)
    text = sys.stderr.getvalue()
    assert ("step 3" in text and "10/10" in text and "images" in text) == shown
    assert bool(text) == shown
