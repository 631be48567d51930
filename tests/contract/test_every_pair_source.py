"""Every kind of pairs, on a few that the test makes: `MAKERS[kind](folder, [3, 1, 4])`.

Pair i has the image `image(i)` and the caption `caption i`; a negative i has a file that is no image.
"""

import gc
import io
import json
import pickle
import tarfile
import zipfile
from multiprocessing import get_context
from pathlib import Path
from types import ModuleType

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from protoclip_cli.core.errors import BadImage, DataError
from protoclip_cli.data.pairs import PAIRS


def image(number):
    picture = np.full((16 + number % 7, 24, 3), 8 * (number % 31), np.uint8)
    picture[: number % 16] = 255
    return Image.fromarray(picture)


def image_bytes(number):
    if number < 0:
        return b"\xff\xd8 not an image"
    file = io.BytesIO()
    image(number).save(file, "PNG")
    return file.getvalue()


def caption(number):
    return f"caption {number}"


def _files(folder, numbers):
    (folder / "images").mkdir()
    for number in numbers:
        (folder / "images" / f"{number}.png").write_bytes(image_bytes(number))
    return [f"images/{number}.png" for number in numbers], [caption(number) for number in numbers]


def csv(folder, numbers):
    paths, captions = _files(folder, numbers)
    lines = [f"{path}\t{text}\n" for path, text in zip(paths, captions, strict=True)]
    (folder / "pairs.tsv").write_text("filepath\ttitle\n" + "".join(lines))
    return {"path": folder / "pairs.tsv"}


def parquet(folder, numbers):
    paths, captions = _files(folder, numbers)
    pq.write_table(pa.table({"filepath": paths, "title": captions}), folder / "pairs.parquet")
    return {"path": folder / "pairs.parquet"}


def jsonl(folder, numbers):
    rows = zip(*_files(folder, numbers), strict=True)
    lines = [json.dumps({"filepath": path, "title": text}) + "\n" for path, text in rows]
    (folder / "pairs.jsonl").write_text("".join(lines))
    return {"path": folder / "pairs.jsonl"}


def coco_captions(folder, numbers):
    paths, captions = _files(folder, numbers)
    images = [{"id": 100 + place, "file_name": path} for place, path in enumerate(paths)]
    annotations = [{"id": place, "image_id": 100 + place, "caption": t} for place, t in enumerate(captions)]
    # Not in the order of the images.
    content = {"images": images, "annotations": annotations[::-1]}
    (folder / "captions.json").write_text(json.dumps(content))
    return {"path": folder / "captions.json", "images_root": folder}


def cc_npy(folder, numbers):
    rows = zip(*_files(folder, numbers), strict=True)
    values = [{"image_id": path, "captions": [text]} for path, text in rows]
    np.save(folder / "cc.npy", np.array(values, dtype=object))
    return {"path": folder / "cc.npy"}


def folder(folder, numbers):
    for place, number in enumerate(numbers):
        below = folder / f"{place // 3:03}"
        below.mkdir(exist_ok=True)
        (below / f"{place:03}.png").write_bytes(image_bytes(number))
        (below / f"{place:03}.txt").write_text(caption(number) + "\n")
    return {"path": folder}


def yfcc_zip(folder, numbers):
    lines = ["archive\tmember\ttitle\n"]
    for place, number in enumerate(numbers):
        archive = f"images/00/00{place % 3}.zip"
        (folder / "images" / "00").mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(
            folder / archive, "a", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED][place % 2]
        ) as file:
            file.writestr(f"{number}.png", image_bytes(number))
        lines.append(f"{archive}\t{number}.png\t{caption(number)}\n")
    (folder / "pairs.tsv").write_text("".join(lines))
    return {"path": folder / "pairs.tsv"}


def tar(folder, numbers):
    shards = {}
    for place, number in enumerate(numbers):
        members = shards.setdefault(f"{place * 2 // len(numbers)}.tar", {})
        members[f"{number}.txt"] = caption(number).encode()
        members[f"{number}.png"] = image_bytes(number)
    for name, members in shards.items():
        with tarfile.open(folder / name, "w") as file:
            for member, content in members.items():
                info = tarfile.TarInfo(member)
                info.size = len(content)
                file.addfile(info, io.BytesIO(content))
    return {"path": folder / "*.tar", "cache": folder / "cache"}


def huggingface(folder, numbers):
    datasets = pytest.importorskip("datasets")
    images = [{"bytes": image_bytes(number), "path": None} for number in numbers]
    features = datasets.Features({"image": datasets.Image(), "caption": datasets.Value("string")})
    rows = {"image": images, "caption": [caption(number) for number in numbers]}
    datasets.Dataset.from_dict(rows, features=features).save_to_disk(folder / "saved")
    return {"path": str(folder / "saved")}


MAKERS = {
    "huggingface": huggingface,
    "tar": tar,
    "yfcc_zip": yfcc_zip,
    "csv": csv,
    "parquet": parquet,
    "jsonl": jsonl,
    "coco_captions": coco_captions,
    "cc_npy": cc_npy,
    "folder": folder,
}


# Drawn, not read: what is said of files does not concern it.
GLYPHS = {"faces": ["STIXGeneralItalic"], "side": 16}
# Of others, whose own tests say what they do with files.
UNREAD = {
    "glyphs": lambda _: GLYPHS,
    "together": lambda folder: {
        "sources": [{"kind": "csv", **csv(folder, NUMBERS)}, {"kind": "glyphs", **GLYPHS, "classes": "face"}]
    },
}
NUMBERS = [0, 1, 2, 3, 4]


@pytest.fixture(params=PAIRS.kinds())
def spec(request, tmp_path):
    maker = (UNREAD | MAKERS)[request.param]
    fields = maker(tmp_path, NUMBERS) if request.param in MAKERS else maker(tmp_path)
    return PAIRS.spec(request.param)(kind=request.param, **fields)


@pytest.fixture(params=[kind for kind in PAIRS.kinds() if kind not in UNREAD])
def made(request, tmp_path):
    """`made(name, numbers, ...)` is a spec of pairs in a folder of that name."""

    def spec(name, numbers, **fields):
        (tmp_path / name).mkdir()
        return PAIRS.spec(request.param)(
            kind=request.param, **MAKERS[request.param](tmp_path / name, numbers), **fields
        )

    return spec


def with_fields(spec, **fields):
    return type(spec)(**{name: getattr(spec, name) for name in spec.model_fields_set} | fields)


def test_rows(spec):
    source = spec.open()
    assert len(source) > 3
    for row in (0, 3, len(source) - 1, np.int64(2)):
        picture = source.image(row)
        assert picture.mode in ("RGB", "L")
        assert source.image(row, draft=4).size == picture.size
        assert isinstance(source.place(row), str)
        assert source.place(row)
    assert len({source.place(row) for row in range(len(source))}) == len(source)


def test_image_and_caption_of_every_row_belong_together(made):
    source = made("a", [3, 0, 4, 1]).open()
    assert len(source) == 4
    for row, number in enumerate([3, 0, 4, 1]):
        assert source.captions[source.captions.of(row)[0]] == caption(number)
        assert np.array_equal(np.asarray(source.image(row)), np.asarray(image(number)))


def test_size_of_every_image(spec):
    source = spec.open()
    for row in range(4):
        assert source.size(row) == source.image(row).size


def test_codes_of_images(spec):
    codes = spec.open().image_codes()
    assert codes.dtype == np.int32
    assert len(set(codes.tolist())) == len(codes) == len(spec.open())


@pytest.mark.parametrize("kind", ["csv", "yfcc_zip"])
def test_rows_of_one_image_have_one_code(kind, tmp_path):
    fields = MAKERS[kind](tmp_path, [1, 2, 3, 4])
    head, *lines = fields["path"].read_text().splitlines()
    fields["path"].write_text("\n".join([head, lines[2], *lines, lines[0].replace("1", "1 again")]) + "\n")
    fields["path"].write_text(fields["path"].read_text().replace("1 again.png", "1.png"))
    codes = PAIRS.spec(kind)(kind=kind, **fields).open().image_codes()
    assert codes[0] == codes[3]
    assert len(set(codes[1:5].tolist())) == 4


def test_captions(spec):
    source = spec.open()
    spans = [source.captions.of(row) for row in range(len(source))]
    assert [number for span in spans for number in span] == list(range(len(source.captions)))
    assert all(isinstance(source.captions[span[0]], str) for span in spans)
    if source.captions.single:
        assert len(source.captions) == len(source)
    assert source.captions.slice(1, 3) == [source.captions[1], source.captions[2]]


def test_the_fingerprint_is_that_of_the_pairs(spec):
    source = spec.open()
    assert source.fingerprint == spec.open().fingerprint
    shorter = with_fields(spec, limit=3).open()
    assert shorter.fingerprint != source.fingerprint
    assert shorter.fingerprint == with_fields(spec, limit=3).open().fingerprint


def test_the_fingerprint_changes_with_contents_and_order_but_not_with_the_place(made):
    first = made("a", [0, 1, 2, 3]).open().fingerprint
    assert made("b", [0, 1, 2, 3]).open().fingerprint == first
    assert made("c", [0, 1, 2, 5]).open().fingerprint != first
    assert made("d", [1, 0, 2, 3]).open().fingerprint != first


def test_limit(spec):
    source, shorter = spec.open(), with_fields(spec, limit=3).open()
    assert len(shorter) == len(shorter.captions) == 3
    for row in range(3):
        assert shorter.captions[row] == source.captions[row]
        assert np.array_equal(np.asarray(shorter.image(row)), np.asarray(source.image(row)))
    assert len(with_fields(spec, limit=10**9).open()) == len(source)


def test_it_pickles(spec):
    source = spec.open()
    source.image(1)  # what this leaves open must not get in the way
    copy = pickle.loads(pickle.dumps(source))
    assert len(copy) == len(source)
    assert copy.fingerprint == source.fingerprint
    assert copy.notes == source.notes
    assert copy.in_memory == source.in_memory
    assert copy.captions[2] == source.captions[2]
    assert np.array_equal(np.asarray(copy.image(2)), np.asarray(source.image(2)))


@pytest.fixture(scope="module")
def other_process():
    with get_context("spawn").Pool(1) as pool:
        yield pool
        pool.close()
        pool.join()


def test_a_spawned_worker_reads_it(made, other_process):
    source = made("a", NUMBERS).open()
    source.image(0)
    assert other_process.apply(source.place, [3]) == source.place(3)
    there = other_process.apply(source.image, [3])
    assert np.array_equal(np.asarray(there), np.asarray(source.image(3)))


def test_a_file_that_is_no_image_is_named(made):
    source = made("a", [0, -1, 2]).open()
    with pytest.raises(BadImage) as caught:
        source.image(1)
    assert str(caught.value).startswith(source.place(1))
    with pytest.raises(BadImage) as caught:
        source.size(1)
    assert str(caught.value).startswith(source.place(1))
    assert source.image(2).size == image(2).size


def test_too_many_pixels_are_refused_before_they_are_decoded(made):
    source = made("a", NUMBERS, max_pixels=16 * 24).open()
    assert source.image(0).size == (24, 16)
    with pytest.raises(BadImage, match="24 x 19 is more than 384 pixels"):
        source.image(3)


def test_a_missing_path_is_an_error_with_a_hint(made, tmp_path):
    spec = made("a", NUMBERS)
    for path in (tmp_path / "gone", tmp_path / f"gone{Path(spec.path).suffix}"):
        with pytest.raises(DataError, match="gone") as caught:
            with_fields(spec, path=type(spec.path)(path)).open()
        assert caught.value.hint


def test_no_python_object_is_held_per_row(made):
    few, many = made("a", range(4)).open(), made("b", range(60)).open()
    for source in (few, many):
        for row in range(len(source)):
            source.image(row)
    assert reachable(many) <= reachable(few) + 5


def reachable(source):
    """How many objects a source refers to, at any distance."""
    seen, waiting = {id(source): source}, [source]
    while waiting:
        for value in gc.get_referents(waiting.pop()):
            if id(value) not in seen and not isinstance(value, type | ModuleType):
                seen[id(value)] = value
                waiting.append(value)
    return len(seen)


def test_every_field_is_described(spec):
    for name, field in type(spec).model_fields.items():
        assert field.description, name


def test_labels_are_one_a_row_or_none_at_all(spec):
    source = spec.open()
    if source.labels is None:
        assert source.classes == 0
        return
    assert source.labels.dtype == np.int32
    assert source.labels.shape == (len(source),)
    assert source.labels.min() >= -1
    assert source.classes == source.labels.max() + 1
