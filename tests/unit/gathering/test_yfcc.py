import bz2
import io
import zipfile

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from protoclip_cli.core.errors import DataError
from protoclip_cli.core.reporter import Silent
from protoclip_cli.data.pairs.yfcc_zip import YfccZipPairs
from protoclip_cli.gathering.yfcc import join_yfcc
from protoclip_cli.workflows.gather_import_yfcc import gather_import_yfcc


def line(number, photo, title="", description="", *, numbered=True):
    columns = [
        str(number),
        str(photo),
        "hash",
        *["x"] * 5,
        title,
        description,
        *["x"] * 6,
        f"http://u/{photo}",
    ]
    columns += ["x"] * (25 - len(columns))
    return "\t".join(columns if numbered else columns[1:-1]) + "\n"


@pytest.fixture
def published(tmp_path):
    folder = tmp_path / "yfcc"
    folder.mkdir()
    # Photo 70 is chosen but in no archive, 99 in an archive but not chosen, 50 chosen but without metadata.
    (folder / "yfcc100m_subset_data.tsv").write_text("0\t10\ta\n3\t30\tb\n7\t70\tc\n5\t50\td\n")
    np.save(folder / "flickr_unique_ids.npy", np.array([99, 30, 50, 10]))
    lines = [
        line(0, 10, "A+%3Cb%3Ecat%3C%2Fb%3E", "see+http%3A%2F%2Fx.y+it"),
        line(1, 99, "no"),
        line(3, 30),
        line(4, 30, "again"),
        line(7, 70, "no"),
    ]
    (folder / "yfcc100m_dataset.txt").write_text("".join(lines))
    return folder


def join(folder, tmp_path):
    counts = join_yfcc(folder, tmp_path / "pairs.parquet", tmp_path / "beside", Silent())
    return counts, pq.read_table(tmp_path / "pairs.parquet").to_pylist()


def test_chosen_photos_that_are_in_the_archives_become_rows(published, tmp_path):
    counts, rows = join(published, tmp_path)
    assert counts == {"chosen": 4, "not in the archives": 1, "not in the metadata": 1, "rows": 2}
    assert rows == [
        {
            "archive": "images/00/000.zip",
            "member": "003.jpg",
            "title": "A cat",
            "description": "see it",
            "url": "http://u/10",
        },
        {
            "archive": "images/00/000.zip",
            "member": "001.jpg",
            "title": "",
            "description": "",
            "url": "http://u/30",
        },
    ]


def test_compressed_files_and_the_older_edition_are_read(published, tmp_path):
    plain = published / "yfcc100m_dataset.txt"
    expected = join(published, tmp_path)
    older = [line(0, 10, "A+cat", "see+it", numbered=False), line(3, 30, numbered=False)]
    plain.with_name("yfcc100m_dataset.txt.bz2").write_bytes(bz2.compress("".join(older).encode()))
    plain.unlink()
    assert join(published, tmp_path) == expected


def test_the_table_is_what_yfcc_zip_reads(published, tmp_path):
    png = io.BytesIO()
    Image.new("RGB", (5, 4), (9, 8, 7)).save(png, "PNG")
    (published / "images/00").mkdir(parents=True)
    with zipfile.ZipFile(published / "images/00/000.zip", "w") as archive:
        archive.writestr("003.jpg", png.getvalue())
        archive.writestr("001.jpg", png.getvalue())
    summary = gather_import_yfcc(published, tmp_path / "out")
    pairs = YfccZipPairs(path=tmp_path / "out" / summary["tables"][0], archives_root=published).open()
    assert len(pairs) == 2
    assert pairs.image(0).size == (5, 4)


def test_a_second_time_does_nothing(published, tmp_path):
    first = gather_import_yfcc(published, tmp_path / "out")
    (published / "yfcc100m_dataset.txt").unlink()
    assert gather_import_yfcc(published, tmp_path / "out") == first


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("yfcc100m_subset_data.tsv", "url,caption\n", "not OpenAI's list"),
        ("yfcc100m_subset_data.tsv", "0\t5\ta\n", "none of the 1 photos"),
        ("yfcc100m_dataset.txt", "a\tb\n", "2 columns"),
        ("yfcc100m_dataset.txt", line(0, 11), "none of the 3 photos"),
        ("flickr_unique_ids.npy", "x", "flickr_unique_ids.npy"),
        ("yfcc100m_dataset.txt", None, "has no yfcc100m_dataset.txt"),
    ],
)
def test_files_that_do_not_fit_are_refused(published, tmp_path, name, content, message):
    (published / name).unlink() if content is None else (published / name).write_text(content)
    with pytest.raises(DataError, match=message):
        join(published, tmp_path)
    assert not (tmp_path / "pairs.parquet").exists()
