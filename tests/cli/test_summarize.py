import json

import pytest

from protoclip_cli.workflows import summarize as work


@pytest.fixture
def runs(desk, tiny_run):
    """Two recipes with two seeds each."""
    for seed in range(2):
        tiny_run(desk / "runs" / f"clip.{seed}", {"digits": 0.5 + seed / 100}, name="clip", seed=seed)
        tiny_run(desk / "runs" / f"proto.{seed}", {"digits": 0.6 + seed / 50}, name="proto", seed=seed, k=3)
    return desk / "runs"


@pytest.mark.usefixtures("runs")
def test_a_table_goes_to_stdout_and_the_report_is_the_last_line(call):
    done = call("summarize", "runs/", "--baseline", "clip", "--html", "report.html")
    assert done.exit_code == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[-1] == "report.html"
    (line,) = [line for line in lines if "digits" in line]
    assert [cell.strip() for cell in line.strip("│").split("│")] == [
        *("zero_shot", "digits", "top1"),
        *("50.5 ± 6.4", "61.0 ± 12.7", "+10.5 ± 6.4 (p 0.030)"),
    ]
    assert done.stderr == ""


@pytest.mark.usefixtures("runs")
def test_other_formats_are_one_document(call):
    for arguments in (["--json"], ["-f", "json", "--html", "r.html"]):
        done = call("summarize", "runs", *arguments)
        assert [group["name"] for group in json.loads(done.stdout)["groups"]] == ["clip", "proto"]
    assert done.stderr == "wrote r.html\n"
    assert call("summarize", "runs", "-f", "csv").stdout.startswith("group,runs,seeds,probe")
    assert call("summarize", "runs", "-f", "markdown").stdout.startswith("### Scores")
    assert r"\toprule" in call("summarize", "runs", "-f", "latex").stdout


def test_two_calls_print_the_same(call, runs):
    first, second = (
        call("summarize", runs / "proto.0", runs / "clip.0", "-f", "csv").stdout for _ in range(2)
    )
    assert first == second
    assert [line.split(",")[0] for line in first.splitlines()] == ["group", "proto.0", "clip.0"]


@pytest.mark.usefixtures("runs")
def test_a_dry_run_writes_nothing(call, desk):
    done = call("summarize", "runs", "--html", "report.html", "--dry-run")
    assert done.stdout == "clip: clip.0, clip.1\nproto: proto.0, proto.1\nwould write report.html\n"
    assert not (desk / "report.html").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([], 2, "no run is named"),
        (["nowhere"], 4, "there is no nowhere"),
        (["runs", "--baseline", "clap"], 2, "groups: clip, proto"),
        (["runs", "--html", "runs"], 2, "runs exists"),
        (["runs", "--scores", "x"], 4, "no score fits x"),
        (["runs", "--elevater", "out"], 4, "--tasks elevater"),
    ],
)
@pytest.mark.usefixtures("runs")
def test_mistakes_are_told_in_a_line_with_the_fix(call, arguments, code, words):
    done = call("summarize", *arguments)
    assert done.exit_code == code
    assert words in done.stderr
    assert "hint: " in done.stderr


def test_names_cannot_command_the_terminal(call, desk, tiny_run):
    tiny_run(desk / "a", {"[red]\x1b[31m\u202e" + "x" * 10_000: 0.5, "مرحبا": 0.5}, name="[bold]")
    done = call("summarize", "a")
    assert done.exit_code == 0
    assert "\x1b" not in done.stdout
    assert "\u202e" not in done.stdout
    assert "[red]" in done.stdout
    assert "مرحبا" in done.stdout
    assert max(map(len, done.stdout.splitlines())) < 400


@pytest.mark.usefixtures("runs")
def test_watching_shows_runs_until_they_end(call):
    done = call("summarize", "runs", "--watch", "--every", "0.1", "-f", "csv")
    assert done.exit_code == 0
    assert "clip.0  finished  10/20  loss 1.000" in done.stderr
    assert done.stdout.startswith("group,")


@pytest.mark.usefixtures("runs")
def test_ctrl_c_ends_the_view(call, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(work, "watch", interrupted)
    assert call("summarize", "runs", "--watch").exit_code == 130
