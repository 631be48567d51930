import json

import pandas as pd
import pytest

from protoclip_cli.core.errors import DataError
from protoclip_cli.gathering.lists import UrlList
from protoclip_cli.gathering.rows import Selection, count_rows, in_turn, read_rows, urls_of, write_rows

PAIRS = [("http://a/1", "one, two"), ("http://b/2", 'say "hi"'), ("http://a/3", "three")]


def table(folder, suffix):
    path = folder / f"list.{suffix}"
    frame = pd.DataFrame(PAIRS, columns=["url", "caption"])
    match suffix:
        case "tsv":
            frame.to_csv(path, sep="\t", index=False)
        case "csv":
            frame.to_csv(path, index=False)
        case "parquet":
            frame.to_parquet(path)
        case "jsonl":
            path.write_text("".join(json.dumps({"n": 1, "url": u, "caption": c}) + "\n" for u, c in PAIRS))
    return path


@pytest.mark.parametrize("suffix", ["tsv", "csv", "parquet", "jsonl"])
def test_every_form_gives_the_same_rows(suffix, tmp_path):
    assert list(UrlList(table(tmp_path, suffix)).pairs()) == PAIRS


@pytest.mark.parametrize(("preset", "turned"), [("cc3m", True), ("cc12m", False)])
def test_lists_of_conceptual_captions_have_no_names(preset, turned, tmp_path):
    path = tmp_path / "list.tsv"
    rows = [(caption, url) if turned else (url, caption) for url, caption in PAIRS]
    path.write_text("".join("\t".join(row) + "\n" for row in rows))
    assert list(UrlList(path, preset=preset).pairs()) == PAIRS


def test_quotes_of_research_code_are_characters(tmp_path):
    path = tmp_path / "list.tsv"
    path.write_text('url\tcaption\nhttp://a\t"open\nhttp://b\t5" by 7"\n')
    assert [caption for _, caption in UrlList(path).pairs()] == ['"open', '5" by 7"']


def test_columns_can_be_named(tmp_path):
    path = tmp_path / "list.csv"
    path.write_text("where,what\nhttp://a,x\n")
    assert list(UrlList(path, url_column="where", caption_column="what").pairs()) == [("http://a", "x")]
    with pytest.raises(DataError, match="no column for --url-col") as caught:
        list(UrlList(path).pairs())
    assert "'where', 'what'" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("url\tcaption\nhttp://a\n", "row 2: 1 columns instead of 2"),
        ("url\tcaption\nhttp://a\tb\tc\n", "row 2: 3 columns instead of 2"),
    ],
)
def test_rows_that_do_not_fit_are_refused_with_their_number(text, words, tmp_path):
    path = tmp_path / "list.tsv"
    path.write_text(text)
    with pytest.raises(DataError, match=words):
        list(UrlList(path).pairs())


def test_what_is_no_text_or_no_table_is_refused(tmp_path):
    (tmp_path / "a.tsv").write_bytes(b"url\tcaption\nhttp://a\t\xff\n")
    (tmp_path / "b.parquet").write_bytes(b"nothing")
    (tmp_path / "c.jsonl").write_text("[1]\n")
    for name in ("a.tsv", "b.parquet", "c.jsonl"):
        with pytest.raises(DataError):
            list(UrlList(tmp_path / name).pairs())
    with pytest.raises(DataError, match="there is no list"):
        UrlList(tmp_path / "d.tsv").check()


def test_rows_have_the_numbers_of_all_lists_together(tmp_path):
    lists = [UrlList(table(tmp_path, "tsv"), "train"), UrlList(table(tmp_path, "csv"), "val")]
    path = tmp_path / "rows.parquet"
    assert write_rows(path, tmp_path / "beside", lists, Selection()) == count_rows(path) == 6
    batch = next(read_rows(path))
    assert batch.column("split").to_pylist() == ["train"] * 3 + ["val"] * 3
    import numpy as np

    assert dict(urls_of(path, np.array([1, 4]))) == {1: "http://b/2", 4: "http://b/2"}


def test_a_sample_is_a_pure_function_of_the_seed(tmp_path):
    path = tmp_path / "list.tsv"
    path.write_text("url\tcaption\n" + "".join(f"http://a/{n}\t{n}\n" for n in range(100)))
    one = UrlList(path)
    first = list(Selection(sample=20, seed=1).of(one, 0))
    assert first == list(Selection(sample=20, seed=1).of(one, 0))
    assert first == sorted(first, key=lambda pair: int(pair[1]))
    assert len(set(first)) == 20
    assert first != list(Selection(sample=20, seed=2).of(one, 0))
    assert [int(c) for _, c in Selection(limit=30, sample=40).of(one, 0)] == list(range(30))


def test_hosts_take_turns():
    rows = [(number, f"http://{'a' if number < 6 else 'b'}/{number}") for number in range(8)]
    assert [number for number, _ in in_turn(rows)] == [0, 6, 1, 7, 2, 3, 4, 5]
    assert len(list(in_turn([(0, "http://[bad"), (1, "")]))) == 2
