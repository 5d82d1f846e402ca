"""Two real processes with four devices each, on one machine."""

import socket

import numpy as np
from runs import SMOKE, final_state, lines


def free_port():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


def test_two_processes_give_the_run_of_one_and_resume(launch, run, tmp_path):
    """Adam with a large epsilon: with the usual one it magnifies the order of float sums."""
    eps = [f"--config.{net}_optimizer.eps=1e-3" for net in ("generator", "discriminator")]

    def pair(steps):
        port = free_port()
        arguments = [SMOKE, *eps, f"--workdir={tmp_path / 'two'}", f"--config.total_steps={steps}"]
        processes = [
            launch(
                *arguments,
                *(f"--coordinator=127.0.0.1:{port}", "--num_processes=2", f"--process_id={i}"),
                devices=4,
            )
            for i in range(2)
        ]
        results = [process.communicate(timeout=200) for process in processes]
        assert [process.returncode for process in processes] == [0, 0], results
        return [stderr for _, stderr in results]

    first, second = pair(20)
    assert "finished: step 20" in first
    assert "step" not in second  # one process talks
    first, _ = pair(40)
    assert "going on from step 20" in first

    one = tmp_path / "one"
    assert run(SMOKE, *eps, f"--workdir={one}", devices=8)[0] == 0
    (step, state), (_, expected) = final_state(tmp_path / "two"), final_state(one)
    assert step == 40
    for path, array in expected.items():
        np.testing.assert_allclose(state[path], array, atol=1e-5, err_msg=path)
    assert [line["step"] for line in lines(tmp_path / "two")] == list(range(4, 41, 4))
