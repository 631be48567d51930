import pytest

import protoclip_cli

COMMANDS = [
    ("train",),
    ("submit",),
    ("cluster",),
    ("evaluate",),
    ("summarize",),
    ("export",),
    ("doctor",),
    ("visualize",),
    ("extract-teacher",),
    ("gather", "urls"),
    ("gather", "import"),
    ("gather", "verify"),
    ("gather", "stats"),
    ("recipes", "ls"),
    ("recipes", "cat"),
    ("recipes", "cp"),
    ("recipes", "validate"),
    ("recipes", "schema"),
    ("recipes", "kinds"),
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_every_command_has_help_with_an_example(command, flag, call):
    done = call(*command, flag)
    assert done.exit_code == 0
    assert done.stderr == ""
    assert f"Usage: protoclip {' '.join(command)}" in done.stdout
    assert f"Example: protoclip {' '.join(command)}" in done.stdout


def test_the_commands_are_listed_and_none_is_forgotten_here(call):
    listed = set()
    for group in ((), ("recipes",), ("gather",)):
        done = call(*group, "--help")
        assert done.exit_code == 0
        lines = done.stdout.partition("Commands")[2].splitlines()
        names = {line.strip("│ ").split()[0] for line in lines if line.startswith("│ ") and line[2] != " "}
        listed |= {(*group, name) for name in names}
    assert listed - {("recipes",), ("gather",)} == set(COMMANDS)


def test_without_a_command_there_is_help_and_a_first_step(call):
    for group in ((), ("recipes",), ("gather",)):
        done = call(*group)
        assert done.exit_code == 2
        assert "Commands" in done.stdout + done.stderr
    assert "protoclip train quickstart" in call("--help").stdout


def test_version(call):
    done = call("--version")
    assert (done.exit_code, done.stdout, done.stderr) == (0, f"protoclip {protoclip_cli.__version__}\n", "")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("trian",), "No such command 'trian'"),
        (("train",), "Missing argument"),
        (("train", "quickstart", "--resum"), "No such option: --resum"),
        (("evaluate",), "no model is named"),
        (("evaluate", "--ckpt", "x", "--batch", "0"), "--batch"),
        (("recipes", "cat"), "Missing argument"),
        (("visualize",), "nothing is named to draw"),
        (("visualize", "x", "--show", "tsnee"), "did you mean 'tsne'"),
        (("visualize", "x", "--show", "tsne", "--set", "tsne.rowz=3"), "did you mean 'rows'"),
    ],
)
def test_a_call_that_cannot_work_ends_with_2_and_says_why_on_stderr(arguments, words, call):
    done = call(*arguments)
    assert done.exit_code == 2
    assert done.stdout == ""
    assert words in done.stderr
