"""`protoclip gather`: what is asked wrongly, and what the commands say."""

import json
from pathlib import Path

import pytest
from PIL import Image


@pytest.fixture
def pairs(desk):  # noqa: ARG001 (the working directory)
    """Images beside texts, one of them damaged, and a list of URLs nobody can be asked for."""
    Path("mine").mkdir()
    for number in range(4):
        Image.new("RGB", (40, 30), (60 * number, 0, 0)).save(f"mine/{number}.png")
        Path(f"mine/{number}.txt").write_text(f"picture {number}")
    Path("list.tsv").write_text("link\talt\nhttp://127.0.0.1/a.jpg\ta cat\nftp://a.org/b.jpg\ta dog\n")


IMPORT = ("gather", "import", "mine", "--out", "out", "-q")


@pytest.mark.usefixtures("pairs")
@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ("lost.tsv --out o", 4, "error: there is no list at lost.tsv\nhint: give a .tsv, .csv"),
        (
            "list.tsv --out o --url-col image",
            4,
            "error: list.tsv: no column for --url-col; the first row nam",
        ),
        ("list.tsv --out o --preset cc4m", 3, "error: what the options say is not a valid recipe\n  what"),
        ("list.tsv --out o --retry 404", 2, "error: --retry 404: no such outcome\nhint: choose transient"),
        ("list.tsv --out mine", 2, "error: mine has files in it but was not gathered\nhint: choose another"),
        ("list.tsv --out list.tsv", 2, "error: list.tsv is a file\nhint: choose another folder"),
        ("list.tsv --out /proc/there/is/none", 1, "error: No such file or directory while writing to /proc/"),
        ("list.tsv --out o --timeout -1", 3, "error: what the options say is not a valid recipe\n"),
        ("list.tsv --out o -q", 1, "error: none of 2 rows has an image: 1 blocked_address, 1 blocked_scheme"),
        ("import lost --out o", 4, "error: there is no folder at lost\nhint: give the output folder"),
        ("import mine --out o --yfcc", 4, "error: mine has no yfcc100m_subset_data.tsv\nhint: it takes"),
        ("import mine --out o --yfcc --copy", 2, "error: --yfcc goes without --split, --copy and --dedup\n"),
        ("verify lost.tsv", 4, "error: there is no table at lost.tsv\nhint: "),
        ("stats lost.tsv", 4, "error: there is no table at lost.tsv\nhint: "),
    ],
)
def test_what_cannot_be_is_told_in_a_line_or_two(arguments, code, words, call):
    done = call("gather", *arguments.split())
    told = "".join(f"{line}\n" for line in done.stderr.splitlines() if line != "reading the lists")
    assert (done.exit_code, done.stdout, told[: len(words)]) == (code, "", words)


@pytest.mark.usefixtures("pairs")
def test_a_dry_run_counts_and_leaves_nothing(call):
    done = call("gather", "list.tsv", "--out", "o", "--dry-run", "--json")
    assert json.loads(done.stdout) == {"out": "o", "rows": 2, "list.tsv": 2, "begun": False}
    assert not Path("o").exists()


@pytest.mark.usefixtures("pairs")
def test_what_was_imported_is_verified_and_measured(call):
    done = call(*IMPORT)
    assert (done.exit_code, done.stdout) == (0, "out/pairs.tsv\n")
    Path("mine/2.png").write_bytes(Path("mine/2.png").read_bytes()[:60])
    done = call("gather", "verify", "out/pairs.tsv", "--keep-good", "good.tsv", "-q")
    assert done.exit_code == 0
    assert done.stdout.splitlines()[0].startswith("2\t")
    assert done.stdout.splitlines()[-1] == "good.tsv"
    assert len(Path("good.tsv").read_text().splitlines()) == 1 + 3
    done = call("gather", "stats", "good.tsv", "--sheet", "sheet.png", "--json", "-q")
    report = json.loads(done.stdout)
    assert report["rows"] == 3
    with Image.open("sheet.png") as sheet:
        assert sheet.width > 200
    json_ = call(*IMPORT, "--json")
    assert json.loads(json_.stdout)["outcomes"] == {"ok": 4}
