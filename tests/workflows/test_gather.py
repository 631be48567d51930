"""From a list of URLs to a trained model, over loopback; stopped, killed and started again."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from PIL import Image

import protoclip_cli
from protoclip_cli.core.errors import DataError, ProtoclipError, UsageError
from protoclip_cli.data.pairs.csv import CsvPairs
from protoclip_cli.recipe.gather import GatherRecipe
from protoclip_cli.workflows.gather import gather
from protoclip_cli.workflows.gather_import import gather_import

ROWS = 48


class _Quiet(SimpleHTTPRequestHandler):
    seen: list[str]
    seconds = 0.01

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.seen.append(self.path)
        time.sleep(self.seconds)
        with suppress(BrokenPipeError, ConnectionResetError):  # who asked was killed
            super().do_GET()


@pytest.fixture
def site(call):  # noqa: ARG001 (an empty working directory)
    """A list of images on a server of this machine: `list.tsv`, and what was asked for."""
    Path("www").mkdir()
    for number in range(ROWS):
        colour = (number * 5, 255 - number * 5, 90)
        Image.new("RGB", (60, 40), colour).save(f"www/{number}.png")
    Path("www/44.png").write_bytes(b"no picture")
    Path("www/45.png").write_bytes(Path("www/3.png").read_bytes())
    Path("www/46.png").unlink()
    Image.new("RGB", (400, 40)).save("www/47.png")
    handler = type("Handler", (_Quiet,), {"seen": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory="www"))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    lines = (
        f"http://127.0.0.1:{server.server_port}/{n}.png\ta {'dark' if n < 24 else 'light'} {n}\n"
        for n in range(ROWS)
    )
    Path("list.tsv").write_text("url\tcaption\n" + "".join(lines))
    yield handler.seen
    server.shutdown()
    server.server_close()


@pytest.fixture
def slow_site(site, monkeypatch):
    """The same, slow enough to be stopped in the middle."""
    monkeypatch.setattr(_Quiet, "seconds", 0.1)
    return site


def recipe(**more):
    network = {"allow_private": True, "ignore_robots": "a test", "concurrency": 8, "per_host": 8}
    values = {"lists": [{"path": "list.tsv"}], "network": network, "dedup": True, **more}
    return GatherRecipe.model_validate(values)


OUTCOMES = {"ok": 44, "aspect": 1, "duplicate": 1, "http_4xx": 1, "not_image": 1}


def test_every_row_ends_in_the_tables_and_a_second_call_does_nothing(site):
    summary = gather(recipe(), Path("out"))
    assert (summary["rows"], summary["outcomes"], summary["ignored"]) == (
        ROWS,
        OUTCOMES,
        {"robots": "a test"},
    )
    table = pq.read_table("out/pairs.parquet").to_pylist()
    assert [row["row"] for row in table] == list(range(ROWS))
    assert [row["status"] for row in table[44:]] == ["not_image", "duplicate", "http_4xx", "aspect"]
    assert table[46]["detail"] == "404"
    assert {(row["width"], row["height"]) for row in table[:44]} == {(60, 40)}
    for name in ("pairs.tsv", "pairs.parquet"):
        source = CsvPairs(path=Path("out") / name).open()
        assert len(source) == 44
        assert source.image(7).size == (60, 40)
        assert dict(source.notes) == ({"rows without an image": 4} if name == "pairs.parquet" else {})
    before, asked = Path("out/pairs.tsv").stat(), len(site)
    assert gather(recipe(), Path("out")) == summary
    assert len(site) == asked
    assert Path("out/pairs.tsv").stat().st_mtime_ns == before.st_mtime_ns


def test_retry_asks_for_the_named_outcomes_only(site):
    gather(recipe(), Path("out"))
    site.clear()
    Image.new("RGB", (60, 40), "red").save("www/46.png")
    summary = gather(recipe(), Path("out"), retry=["http_4xx"])
    assert site == ["/46.png"]
    assert summary["outcomes"] == {"ok": 45, "aspect": 1, "duplicate": 1, "not_image": 1}
    site.clear()
    gather(recipe(), Path("out"), retry=["transient"])
    assert site == []
    with pytest.raises(UsageError, match="no such outcome"):
        gather(recipe(), Path("out"), retry=["404"])


@pytest.mark.usefixtures("site")
def test_without_permission_nothing_private_is_asked(site):
    for _ in range(2):
        with pytest.raises(ProtoclipError, match=f"none of {ROWS} rows has an image: {ROWS} blocked_address"):
            gather(recipe(network={"ignore_robots": "a test"}), Path("out"))
    assert site == []


@pytest.mark.usefixtures("site")
def test_other_settings_or_another_list_want_another_folder():
    gather(recipe(limit=3), Path("out"))
    with pytest.raises(UsageError, match="different: limit"):
        gather(recipe(limit=4), Path("out"))
    with pytest.raises(UsageError, match="different: images"):
        gather(recipe(limit=3, images={"side": 16}), Path("out"))
    with Path("list.tsv").open("a") as file:
        file.write("http://127.0.0.1/new.png\tnew\n")
    with pytest.raises(UsageError, match="different: lists"):
        gather(recipe(limit=3), Path("out"))
    Path("mine").mkdir()
    Path("mine/thesis.txt").write_text("precious")
    with pytest.raises(UsageError, match="has files in it"):
        gather(recipe(), Path("mine"))
    assert [path.name for path in Path("mine").iterdir() if path.name != ".lock"] == ["thesis.txt"]
    with pytest.raises(DataError, match="there is no list"):
        gather(recipe(lists=[{"path": "lost.tsv"}]), Path("new"))


@pytest.mark.usefixtures("site")
def test_splits_have_tables_of_their_own():
    lists = [{"path": "list.tsv", "split": split} for split in ("train", "val")]
    summary = gather(recipe(lists=lists, limit=10, dedup=False), Path("out"))
    assert summary["tables"] == ["pairs_train.tsv", "pairs_val.tsv"]
    assert summary["splits"] == {"train": {"ok": 10}, "val": {"ok": 10}}
    first, second = (pq.read_table(f"out/pairs_{split}.parquet") for split in ("train", "val"))
    assert first["sha256"].equals(second["sha256"])
    assert second["row"].to_pylist() == list(range(10, 20))


COMMAND = ["gather", "list.tsv", "--out", "killed", "--allow-private", "--dedup", "--concurrency", "4", "-q"]


def start(*more):
    command = [sys.executable, "-m", "protoclip_cli", *COMMAND, "--ignore-robots", "a test", *more]
    folder = str(Path(protoclip_cli.__file__).parents[1])
    return subprocess.Popen(
        command, env={**os.environ, "PYTHONPATH": folder}, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def wait_for(asked, count, process):
    most = len(asked) + count
    while process.poll() is None and len(asked) < most:
        time.sleep(0.005)


def journal():
    file = Path("killed/journal.jsonl")
    # The last line may be half of one after a kill.
    return [json.loads(line)["row"] for line in file.read_text().split("\n")[:-1]] if file.is_file() else []


@pytest.mark.slow
def test_killed_again_and_again_it_ends_with_the_same_tables(slow_site):
    gather(recipe(), Path("out"))
    known = []
    for count in (1, 30, 4):
        slow_site.clear()
        process = start()
        wait_for(slow_site, count, process)
        process.kill()
        process.communicate()
        assert not {f"/{row}.png" for row in known} & set(slow_site)
        known = journal()
    assert 0 < len(known) < ROWS
    done = start()
    _, words = done.communicate(timeout=60)
    assert done.returncode == 0, words
    for name in ("pairs.tsv", "list.parquet"):
        assert (Path("out") / name).read_bytes() == (Path("killed") / name).read_bytes()
    assert sorted(journal()) == list(range(ROWS))
    files = {path.relative_to("killed").as_posix() for path in Path("killed/images").rglob("*.jpg")}
    assert files == {f"images/000/000/{n:09d}.jpg" for n in range(ROWS) if n not in {44, 46, 47}}
    assert not list(Path("killed").rglob("*.tmp"))


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 75)])
def test_a_signal_stops_it_with_everything_saved(slow_site, number, code):
    process = start()
    wait_for(slow_site, 8, process)
    process.send_signal(number)
    _, words = process.communicate(timeout=60)
    assert process.returncode == code
    assert words.decode().splitlines()[0].startswith(f"error: stopped by {number.name} after")
    assert b"Traceback" not in words
    assert 0 < len(journal()) < ROWS
    done = start()
    out, _ = done.communicate(timeout=60)
    assert (done.returncode, out) == (0, b"killed/pairs.tsv\n")


@pytest.mark.usefixtures("site")
def test_from_a_list_to_a_trained_model(call, recipe_file, plain):
    assert call(*COMMAND, "--ignore-robots", "a test", "--out", "out").exit_code == 0
    short = {"episodes": {"count": 1}, "towers": None, "validation": None, "evaluate": None}
    file = recipe_file(Path("r.yaml"), **{"name": "tiny", **plain, **short})
    done = call("train", file, "--set", "pairs={kind: csv, path: out/pairs.tsv}", "--set", "views={}", "-q")
    assert done.exit_code == 0, done.stderr
    assert Path("runs/tiny/checkpoints/last").exists()


def test_images_beside_texts_become_a_table(call):  # noqa: ARG001
    Path("mine/sub").mkdir(parents=True)
    for number in range(5):
        Image.new("RGB", (9, 8), (number, 0, 0)).save(f"mine/sub/{number}.png")
        if number != 3:
            Path(f"mine/sub/{number}.txt").write_text(f"number\n{number}")
    Path("mine/sub/4.png").write_bytes(b"no picture")
    summary = gather_import(Path("mine"), Path("out"))
    assert summary["outcomes"] == {"ok": 3, "empty": 1, "not_image": 1}
    source = CsvPairs(path=Path("out/pairs.tsv")).open()
    assert source.captions.slice(0, 3) == ["number 0", "number 1", "number 2"]
    assert Path(source.place(1)) == Path("mine/sub/1.png").resolve()
    copied = gather_import(Path("mine"), Path("copied"), copy=True)
    assert copied["ok"] == 3
    assert Path(CsvPairs(path=Path("copied/pairs.tsv")).open().place(1)).parts[0] == "copied"
    assert gather_import(Path("mine"), Path("out")) == summary
    Path("empty").mkdir()
    with pytest.raises(DataError, match="holds nothing"):
        gather_import(Path("empty"), Path("out2"))
