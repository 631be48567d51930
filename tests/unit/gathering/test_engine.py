import asyncio
import csv
import hashlib

import pyarrow.parquet as pq
import pytest

from protoclip_cli.core.errors import ProtoclipError, ResourceError, UsageError
from protoclip_cli.core.reporter import Silent
from protoclip_cli.gathering.engine import Engine
from protoclip_cli.gathering.fetch import Download
from protoclip_cli.gathering.folder import GatherFolder
from protoclip_cli.gathering.journal import Journal
from protoclip_cli.gathering.lists import UrlList
from protoclip_cli.gathering.outcomes import Outcome
from protoclip_cli.gathering.picture import Encoded
from protoclip_cli.gathering.pressure import Pressure
from protoclip_cli.gathering.result import write_tables
from protoclip_cli.gathering.rows import Selection, urls_of, write_rows

ROWS = 40


async def fetch(url):
    await asyncio.sleep(0)
    number = int(url.rpartition("/")[2])
    if number % 4 == 3:
        return Download(Outcome.HTTP_4XX, "404", None, url, 1)
    return Download(Outcome.OK, "", str(number % 10).encode(), url, 1)


async def encode(body):
    if body == b"5":
        return Encoded(outcome=Outcome.DECODE_ERROR, detail="odd")
    return Encoded(outcome=Outcome.OK, data=body, width=3, height=4, sha256=hashlib.sha256(body).hexdigest())


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "list.tsv"
    path.write_text("url\tcaption\n" + "".join(f"http://a/{n}\tpicture\\t{n}\n" for n in range(ROWS)))
    made = GatherFolder(tmp_path / "out")
    with made.alone():
        write_rows(made.rows, made.begun / "list.parquet", [UrlList(path)], Selection())
        made.begin({})
    return made


def work(folder, *, fetch=fetch, encode=encode, stop_after=None):
    journal = Journal(folder.journal, ROWS)
    wanted = journal.to_do(lambda _: False)

    async def run():
        stop = asyncio.Event()

        async def counted(url):
            nonlocal stop_after
            if stop_after is not None:
                stop_after -= 1
                if stop_after < 0:
                    stop.set()
                    await asyncio.sleep(60)
            return await fetch(url)

        engine = Engine(
            folder, journal, counted, encode, "jpg", Pressure(5, keep_going=True), 5, Silent(), len(wanted)
        )
        return await engine.run(urls_of(folder.rows, wanted), stop)

    with folder.alone():
        return asyncio.run(run()), journal


def tables(folder, journal, *, dedup=False):
    with folder.alone():
        counts = write_tables(folder, journal, ROWS, dedup=dedup)
    return counts, folder.table(None, "tsv").read_bytes(), pq.read_table(folder.table(None, "parquet"))


def test_every_row_ends_with_an_outcome_and_the_good_ones_with_an_image(folder):
    done, journal = work(folder)
    assert done
    counts, text, table = tables(folder, journal)
    assert counts == {None: {"ok": 28, "http_4xx": 10, "decode_error": 2}}
    assert table.num_rows == ROWS
    rows = list(csv.DictReader(text.decode().splitlines(), delimiter="\t"))
    assert len(rows) == 28
    for row in rows:
        number = int(row["url"].rpartition("/")[2])
        image = folder.path / row["filepath"]
        assert row["filepath"] == f"images/000/000/{number:09d}.jpg"
        assert hashlib.sha256(image.read_bytes()).hexdigest() == row["sha256"]
    assert {path.name for path in folder.path.iterdir()} == {
        ".lock", "gather.json", "images", "journal.jsonl", "list.parquet", "pairs.parquet", "pairs.tsv",
    }  # fmt: skip


@pytest.mark.parametrize("stops", [[0], [1], [7], [30], [3, 3, 3, 3, 3]])
def test_stopped_anywhere_it_goes_on_to_the_same_tables(stops, folder):
    for count in stops:
        done, _ = work(folder, stop_after=count)
        assert not done
    journal = work(folder)[1]
    first = tables(folder, journal)
    other = GatherFolder(folder.path.parent / "other")
    with other.alone():
        other.rows.write_bytes(folder.rows.read_bytes())
        other.begin({})
    second = tables(other, work(other)[1])
    assert first[:2] == second[:2]
    assert first[2].equals(second[2])
    lines = folder.journal.read_text().splitlines()
    assert len(lines) == len(set(lines)) == ROWS


def test_of_equal_images_the_lowest_row_stays_whatever_came_first(folder):
    async def slow(url):
        number = int(url.rpartition("/")[2])
        await asyncio.sleep((ROWS - number) / 1000)
        return Download(Outcome.OK, "", str(number % 7).encode(), url, 1)

    async def good(body):
        return Encoded(outcome=Outcome.OK, data=body, sha256=hashlib.sha256(body).hexdigest())

    journal = work(folder, fetch=slow, encode=good)[1]
    counts, _, table = tables(folder, journal, dedup=True)
    assert counts[None] == {"ok": 7, "duplicate": ROWS - 7}
    kept = [row["row"] for row in table.to_pylist() if row["status"] == "ok"]
    assert kept == list(range(7))
    assert all((row["filepath"] is None) == (row["status"] != "ok") for row in table.to_pylist())
    assert tables(folder, journal)[0][None] == {"ok": ROWS}


def test_a_full_disk_ends_everything_at_once_and_loses_nothing(folder, monkeypatch):
    write, left = GatherFolder.write_image, [6]

    def full(self, name, content):
        left[0] -= 1
        if left[0] < 0:
            raise ResourceError("the disk is full")
        write(self, name, content)

    monkeypatch.setattr(GatherFolder, "write_image", full)
    with pytest.raises(ResourceError):
        work(folder)
    known = Journal(folder.journal, ROWS)
    assert 0 < known.counts()["ok"] <= 6  # one that was written while another failed is fetched again
    monkeypatch.undo()
    assert work(folder)[0]


def test_a_bug_is_not_swallowed(folder):
    async def broken(_):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work(folder, fetch=broken)


def test_giving_up_is_an_error_for_the_user(folder, monkeypatch):
    def hopeless(*_):
        raise ProtoclipError("stopped")

    monkeypatch.setattr(Pressure, "see", hopeless)
    with pytest.raises(ProtoclipError, match="stopped"):
        work(folder)


def test_two_commands_do_not_work_in_one_folder(folder):
    with folder.alone(), pytest.raises(UsageError, match="another command"), folder.alone():
        pass


def test_what_a_crash_left_half_written_is_cleared(folder):
    (folder.begun).mkdir()
    (folder.begun / "000000001.jpg").write_bytes(b"half")
    with folder.alone():
        assert list(folder.begun.iterdir()) == []
    assert not folder.begun.exists()
