import json

import pytest

from gan_jax.runtime import json_lines


def test_lines_come_back(tmp_path):
    path = tmp_path / "a.jsonl"
    assert json_lines.read(path) == []
    for step in (1, 2):
        json_lines.append(path, {"step": step, "metrics": {"fd": 1.5, "kd": None}})
    assert [line["step"] for line in json_lines.read(path)] == [1, 2]
    assert json_lines.read(path)[0]["metrics"] == {"fd": 1.5, "kd": None}
    with pytest.raises(ValueError, match="JSON compliant"):
        json_lines.append(path, {"step": float("nan")})


@pytest.mark.parametrize("tail", [b'{"step": 2, "ima', b'{"step": 2}', b"\0\0\n", b"7\n"])
def test_a_torn_line_is_none_and_stays_alone(tmp_path, tail):
    path = tmp_path / "a.jsonl"
    json_lines.append(path, {"step": 1})
    path.write_bytes(path.read_bytes() + tail)
    assert json_lines.read(path) == [{"step": 1}]
    json_lines.append(path, {"step": 3})
    assert {"step": 3} in json_lines.read(path)
    json_lines.cut(path, 3)
    assert [json.loads(line)["step"] for line in path.read_text().splitlines()][-1] == 3


def test_two_who_append_lose_nothing(tmp_path):
    """One has the file open while the other adds a line: each line goes to the end."""
    path = tmp_path / "a.jsonl"
    with open(path, "ab") as other:
        json_lines.append(path, {"step": 1})
        other.write(b'{"step": 2}\n')
    assert json_lines.read(path) == [{"step": 1}, {"step": 2}]
