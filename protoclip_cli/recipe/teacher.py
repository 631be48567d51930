"""`teacher:` in a train recipe: a bank on disk, or the encoder to make one with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import SerializeAsAny, WrapValidator
from pydantic.functional_validators import ModelWrapValidatorHandler

from protoclip_cli.core.catalog import one_of
from protoclip_cli.core.spec import Spec
from protoclip_cli.models.builders import TEXT_ENCODERS


class BankSpec(Spec):
    """A bank that `protoclip extract-teacher` made, or a plain `.npy` file."""

    bank: Path
    """The folder of the bank."""
    unchecked: bool = False
    """Take a plain `.npy` file, as the original's, trusting that its rows are the captions in their order."""


def _parse(value: Any, handler: ModelWrapValidatorHandler[Spec]) -> Spec:
    if not isinstance(value, dict):
        return handler(value)
    if "bank" in value:
        return BankSpec.model_validate(value)
    if "kind" not in value:
        known = ", ".join(TEXT_ENCODERS.kinds())
        raise ValueError(f"needs a `bank` (a folder), or a `kind`, one of {known}")
    return TEXT_ENCODERS.spec(value["kind"], here=True).model_validate(value)


AnyTeacher: Any = Annotated[SerializeAsAny[Spec], WrapValidator(_parse), one_of(TEXT_ENCODERS, BankSpec)]
