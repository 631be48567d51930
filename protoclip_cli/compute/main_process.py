"""Work that one process does for all, and whose failure is everybody's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from protoclip_cli.compute.processes import from_main, is_main, world
from protoclip_cli.core import errors
from protoclip_cli.core.errors import ProtoclipError


def on_main(work: Callable[[], Any]) -> Any:
    """Let the main process do something while the others wait.

    Args:
        work: what to do. Its result travels as JSON.

    Returns:
        Its result, on all processes.

    Raises:
        ProtoclipError: on all processes, what it raised on the main one.
    """
    answer: dict[str, Any] = {}
    if is_main():
        try:
            answer = {"result": work()}
        except ProtoclipError as error:
            if world() == 1:
                raise
            answer = {"error": type(error).__name__, "message": str(error), "hint": error.hint}
    answer = from_main(answer)
    if "error" in answer:
        kind: type[ProtoclipError] = getattr(errors, answer["error"], ProtoclipError)
        raise kind(answer["message"], hint=answer["hint"])
    return answer["result"]
