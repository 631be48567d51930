import pickle

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from protoclip_cli.core.errors import BadImage, DataError
from protoclip_cli.data.pairs import PAIRS


def table(path, text, **options):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return PAIRS.spec("csv")(path=path, **options).open()


def pairs(source):
    return [(source.place(row), source.captions[row]) for row in range(len(source))]


def captions(source):
    return source.captions.slice(0, len(source.captions))


@pytest.mark.parametrize("mark", ["\t", ",", ";", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("start", ["", "\ufeff"])
def test_delimiter_line_ends_and_byte_order_mark(mark, end, start, tmp_path):
    rows = [["id", "Image", "caption"], ["1", "a.jpg", "a 🐕 dog"], ["2", "/b.jpg", "[MASK] <b> NA"]]
    text = start + end.join(mark.join(row) for row in rows) + end
    source = table(tmp_path / "t.csv", text)
    assert pairs(source) == [(str(tmp_path / "a.jpg"), "a 🐕 dog"), ("/b.jpg", "[MASK] <b> NA")]
    assert source.notes == {}


def test_the_delimiter_is_the_one_that_names_known_columns(tmp_path):
    columns = {"image_column": "filepath,x,y,z", "caption_column": "title;"}
    source = table(tmp_path / "t.txt", "filepath,x,y,z\ttitle;\nfilepath\ta,b,c,d\n", **columns)
    assert captions(source) == ["a,b,c,d"]
    source = table(tmp_path / "t.txt", "path;a,b,c;text\nx.png;1,2;hi, you\n")
    assert captions(source) == ["hi, you"]


@pytest.mark.parametrize("mark", ["\t", ",", ";", "|"])
def test_quoted_values(mark, tmp_path):
    wanted = [f"one{mark}two", "line\nbreak", 'a "big" dog', '"', "", "plain", '"a" and "b"', "x\r\ny"]
    lines = [f'"{text.replace(chr(34), chr(34) * 2)}"{mark}{row}.jpg\n' for row, text in enumerate(wanted)]
    source = table(tmp_path / "t.csv", f'"title"{mark}"filepath"\n' + "".join(lines))
    assert captions(source) == wanted
    assert source.place(7).endswith("7.jpg")


def test_tab_files_keep_stray_quotes_and_every_row(tmp_path):
    wanted = ['"open', 'close"', '5" disk', '"a" and "b"', '"', 'quoted "wrong', "last"]
    source = table(tmp_path / "t.tsv", "filepath\ttitle\n" + "".join(f"a.jpg\t{text}\n" for text in wanted))
    assert captions(source) == wanted


def test_tab_files_unquote_what_is_quoted_correctly(tmp_path):
    rows = ['"a dog"', '"a ""big"" dog"', '""', '"open', '"a" b"']
    source = table(tmp_path / "t.tsv", "filepath\ttitle\n" + "".join(f"a.jpg\t{text}\n" for text in rows))
    assert captions(source) == ["a dog", 'a "big" dog', "", '"open', '"a" b"']


def test_a_quote_inside_an_unquoted_value_is_a_character(tmp_path):
    source = table(tmp_path / "t.csv", 'path,text\na.jpg,a 5" disk\nb.jpg,"one, two"\n')
    assert captions(source) == ['a 5" disk', "one, two"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('path,text\na.jpg,"open\nb.jpg,two\nc.jpg,three\n', 2),
        ('path,text\n"a.jpg",one\nb.jpg,"open\nc.jpg,a "big" dog\nd.jpg,three\n', 4),
        ('path,text,note\na.jpg,one,"open\nb.jpg,two,x\n', 2),
    ],
)
def test_an_open_quote_never_swallows_rows(text, line, tmp_path):
    with pytest.raises(DataError, match=rf"line {line}: a quote is not closed") as caught:
        table(tmp_path / "t.csv", text)
    assert 'write ""' in caught.value.hint


@pytest.mark.parametrize("mark", ["\t", ","])
def test_a_row_with_other_columns_is_named(mark, tmp_path):
    text = "path,text\na,one\nb,two,three\nc,four\n".replace(",", mark)
    with pytest.raises(DataError, match="row 2: 3 columns instead of 2, in") as caught:
        table(tmp_path / "t.tsv", text)
    assert "double quotes" in caught.value.hint


def test_the_check_of_quotes_sees_across_its_pieces(tmp_path, monkeypatch):
    text = 'path,text\na,"one ""1""\n2"\nb,"x,\n\ny"\n"c","z"\n'
    for piece in range(1, 40):
        monkeypatch.setattr("protoclip_cli.data.delimited._PIECE", piece)
        assert captions(table(tmp_path / "t.csv", text)) == ['one "1"\n2', "x,\n\ny", "z"]
        with pytest.raises(DataError, match="line 8"):
            table(tmp_path / "t.csv", text + 'd,"e\n')


def test_blocks_do_not_matter(tmp_path, monkeypatch):
    monkeypatch.setattr("protoclip_cli.data.delimited._BLOCK", 64)
    text = "path,text\n" + "".join(f'{i}.jpg,"a\nb"\n' for i in range(50))
    assert captions(table(tmp_path / "t.csv", text)) == ["a\nb"] * 50
    with pytest.raises(DataError, match="row 51: 3 columns instead of 2, in 'x,y,z'"):
        table(tmp_path / "t.csv", text + "x,y,z\n")


def test_empty_captions_are_kept_and_counted(tmp_path):
    source = table(tmp_path / "t.tsv", "filepath\ttitle\na\t\nb\t \nc\thi\n")
    assert captions(source) == ["", " ", "hi"]
    assert source.notes == {"empty captions": 2}


@pytest.mark.parametrize(
    ("name", "text", "place"),
    [
        ("t.tsv", "filepath\ttitle\na\tx\n\ty\n", "line 3"),
        ("t.csv", 'filepath,title\na,"two\nlines"\n" ",y\n', "line 4"),
        ("t.jsonl", '{"image": "a", "text": "x\\ny"}\n{"image": null, "text": "x"}\n', "line 2"),
    ],
)
def test_an_empty_path_is_named(name, text, place, tmp_path):
    with pytest.raises(DataError, match=f"{place}: no image path"):
        table(tmp_path / name, text)


@pytest.mark.parametrize("text", ["", "filepath\ttitle", "filepath\ttitle\n", "filepath\ttitle\n\n\n"])
def test_no_rows(text, tmp_path):
    with pytest.raises(DataError, match=r"is empty|has no rows"):
        table(tmp_path / "t.tsv", text)


def test_missing_table_and_folder(tmp_path):
    spec = PAIRS.spec("csv")
    with pytest.raises(DataError, match="there is no table at"):
        spec(path=tmp_path / "gone.tsv").open()
    with pytest.raises(DataError, match="is a folder"):
        spec(path=tmp_path).open()


def test_wrong_columns_show_what_there_is_and_what_to_set(tmp_path):
    with pytest.raises(DataError, match="no column for `caption_column`") as caught:
        table(tmp_path / "t.csv", "image,capton,id\na,b,c\n")
    assert "set `caption_column` (nearest: 'capton')" in caught.value.hint
    assert "'image', 'capton', 'id'" in caught.value.hint
    with pytest.raises(DataError, match="no column named 'imge'") as caught:
        table(tmp_path / "t.csv", "image,caption,id\na,b,c\n", image_column="imge")
    assert "set `image_column` (nearest: 'image')" in caught.value.hint


def test_a_name_that_stands_twice(tmp_path):
    with pytest.raises(DataError, match="2 columns for `image_column`"):
        table(tmp_path / "t.csv", "image,Image,caption\na,b,c\n")
    # Twice is no harm where nobody asks for it.
    assert captions(table(tmp_path / "t.csv", "image,x,x,caption\na,1,2,c\n")) == ["c"]


@pytest.mark.parametrize("data", ["path,text\na,é\n".encode("latin-1"), "path,text\na,b\n".encode("utf-16")])
def test_other_encodings_are_refused(data, tmp_path):
    with pytest.raises(DataError, match="not text in UTF-8"):
        table(tmp_path / "t.csv", data)


def test_limit_takes_the_first_rows(tmp_path):
    source = table(tmp_path / "t.csv", "path,text\n" + "".join(f"{i},{i}\n" for i in range(9)), limit=4)
    assert captions(source) == ["0", "1", "2", "3"]
    assert source.fingerprint == table(tmp_path / "u.csv", "path,text\n0,0\n1,1\n2,2\n3,3\n").fingerprint


def test_jsonl(tmp_path):
    text = '{"id": 1, "image": "a", "text": "x \\"q\\" 🐕"}\n{"text": null, "image": "b"}\n'
    source = table(tmp_path / "t.jsonl", text)
    assert captions(source) == ['x "q" 🐕', ""]
    assert source.notes == {"empty captions": 1}
    for bad in ("[1, 2]\n", "nonsense\n", "{"):
        with pytest.raises(DataError, match="line 1: not a JSON object"):
            table(tmp_path / "t.jsonl", bad)
    with pytest.raises(DataError, match="cannot be read"):
        table(tmp_path / "t.jsonl", '{"image": "a", "text": "x"}\n{"image": "a", "text": ["x"]}\n')


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())])
def test_parquet(kind, tmp_path):
    texts = pa.array(["x", None, "z"]).cast(kind)
    pq.write_table(
        pa.table({"n": [1, 2, 3], "caption": texts, "file": ["a", "b", "c"]}), tmp_path / "t.parquet"
    )
    source = PAIRS.spec("csv")(path=tmp_path / "t.parquet").open()
    assert captions(source) == ["x", "", "z"]
    assert source.place(2) == str(tmp_path / "c")
    with pytest.raises(DataError, match="holds int64, not text"):
        PAIRS.spec("csv")(path=tmp_path / "t.parquet", caption_column="n").open()
    with pytest.raises(DataError, match="cannot be read"):
        table(tmp_path / "u.parquet", "no parquet")


def test_images_are_read_when_asked_for(tmp_path):
    (tmp_path / "pictures").mkdir()
    Image.fromarray(np.zeros((9, 12, 3), np.uint8)).save(tmp_path / "pictures" / "a.png")
    text = "path,text\na.png,x\ngone.png,y\n"
    source = table(tmp_path / "t.csv", text, images_root=tmp_path / "pictures")
    assert source.image(0).size == (12, 9)
    with pytest.raises(BadImage, match=r"gone\.png: no such file"):
        source.image(1)
    small = table(tmp_path / "t.csv", text, images_root=tmp_path / "pictures", max_pixels=107)
    with pytest.raises(BadImage, match="more than 107 pixels"):
        small.image(0)


def test_a_limited_source_pickles_small(tmp_path):
    text = "path,text\n" + "".join(f"{i},{'x' * 100}\n" for i in range(1000))
    source = table(tmp_path / "t.csv", text, limit=3)
    assert len(pickle.dumps(source)) < 3_000
