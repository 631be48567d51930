import json
import os
import subprocess
import sys
import textwrap
import time

import pytest

from protoclip_cli.core.errors import DataError
from protoclip_cli.store.checkpoints import list_checkpoints, prune, save_checkpoint
from protoclip_cli.store.lines import append_lines, keep_lines, read_lines
from protoclip_cli.store.locks import locked, pinned, unpinned


def started(code, *arguments):
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@pytest.fixture
def checkpoints(tmp_path):
    for step in (1, 2, 3):
        save_checkpoint(tmp_path, step, {"model.safetensors": lambda path: path.write_text("x")}, {})
    return tmp_path


PIN = """
    import sys, time
    from pathlib import Path
    from protoclip_cli.store.locks import pinned
    with pinned(Path(sys.argv[1])):
        print("pinned", flush=True)
        time.sleep(60)
"""


def test_a_pinned_checkpoint_is_not_pruned_and_the_pin_of_a_dead_process_is_none(checkpoints):
    holder = started(PIN, checkpoints / "step_1")
    try:
        assert holder.stdout.readline() == "pinned\n"
        with pinned(checkpoints / "step_1"):  # several may
            pass
        prune(checkpoints, 1, lambda _: False)
        assert [checkpoint.step for checkpoint in list_checkpoints(checkpoints)] == [1, 3]
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()
    prune(checkpoints, 1, lambda _: False)
    assert [checkpoint.step for checkpoint in list_checkpoints(checkpoints)] == [3]
    assert {path.name for path in checkpoints.iterdir()} == {"step_3", "last"}


def test_what_is_gone_cannot_be_pinned(checkpoints):
    with pytest.raises(DataError, match="just been removed"), pinned(checkpoints / "step_9"):
        pass
    with unpinned(checkpoints / "step_9") as free:
        assert not free


def test_a_pin_ends_with_its_block_although_a_fork_still_has_the_file(checkpoints):
    ours, theirs = os.pipe()
    with pinned(checkpoints / "step_1"):
        child = os.fork()
        if not child:
            os.read(ours, 1)
            os._exit(0)
        with unpinned(checkpoints / "step_1") as free:
            assert not free
    with unpinned(checkpoints / "step_1") as free:
        assert free
    os.write(theirs, b"x")
    os.waitpid(child, 0)
    os.close(ours)
    os.close(theirs)


def test_a_lock_on_a_file_that_was_replaced_is_taken_again(tmp_path):
    path = tmp_path / "scores.jsonl"
    append_lines(path, [{"a": 1}])
    with locked(path):
        writer = started(
            """
            import sys
            from pathlib import Path
            from protoclip_cli.store.lines import append_lines
            print("ready", flush=True)
            append_lines(Path(sys.argv[1]), [{"b": 2}])
            """,
            path,
        )
        assert writer.stdout.readline() == "ready\n"
        time.sleep(0.2)
        beside = tmp_path / "new"
        beside.write_text('{"c": 3}\n')
        beside.replace(path)
    assert writer.wait(10) == 0
    writer.stdout.close()
    assert list(read_lines(path)) == [{"c": 3}, {"b": 2}]


def test_rows_of_two_processes_never_mix(tmp_path):
    path = tmp_path / "scores.jsonl"
    code = """
        import sys
        from pathlib import Path
        from protoclip_cli.store.lines import append_lines
        for number in range(200):
            append_lines(Path(sys.argv[1]), [{"who": sys.argv[2], "number": number, "fill": "x" * 5000}] * 2)
    """
    writers = [started(code, path, who) for who in "ab"]
    for _ in range(20):
        keep_lines(path, lambda _: True)  # as a resumed run does
    assert [writer.wait(30) for writer in writers] == [0, 0]
    for writer in writers:
        writer.stdout.close()
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for who in "ab":
        assert [row["number"] for row in rows if row["who"] == who] == [n for n in range(200) for _ in "xx"]
