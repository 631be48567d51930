"""`protoclip doctor` from the outside."""

import json

import pytest

from protoclip_cli.workflows.checks.base import note, ok, problem

FOUND = [problem("gpu", "it is gone \x1b[31m", "look for it"), note("disk", "small"), ok("cores", "2 cores")]


@pytest.fixture
def findings(monkeypatch):
    """Let the doctor find these."""
    return lambda found: monkeypatch.setattr("protoclip_cli.workflows.doctor.doctor", lambda: found)


def test_this_machine_is_looked_at_and_the_worst_comes_first(call):
    done = call("doctor", "--json")
    found = json.loads(done.stdout)
    assert done.exit_code == int(found["problems"] > 0)
    states = [finding["state"] for finding in found["findings"]]
    assert states == sorted(states, key=["problem", "note", "ok"].index)
    areas = {finding["area"] for finding in found["findings"]}
    assert areas >= {"versions", "gpu", "cores", "disk", "caches", "offline", "data"}
    assert all(finding["fix"] for finding in found["findings"] if finding["state"] == "problem")


def test_a_problem_is_exit_1_with_its_fix_and_nothing_a_terminal_obeys(call, findings):
    findings(FOUND)
    done = call("doctor")
    assert done.exit_code == 1
    assert done.stdout.splitlines() == [
        "problem  gpu: it is gone \\x1b[31m",
        "         fix: look for it",
        "note     disk: small",
        "ok       cores: 2 cores",
    ]
    assert call("doctor", "-q").stdout.splitlines() == done.stdout.splitlines()[:2]


def test_no_problem_is_exit_0(call, findings):
    findings(FOUND[1:])
    assert call("doctor").exit_code == 0
    assert call("doctor", "-q").stdout == "no problems\n"
