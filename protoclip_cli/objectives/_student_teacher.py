"""What objectives in which one side learns from another have in common."""

from __future__ import annotations

from typing import Any, Literal, cast

from torch import Tensor

from protoclip_cli.core.errors import RecipeError
from protoclip_cli.core.needs import Needs
from protoclip_cli.core.types import Modality, StepInputs
from protoclip_cli.core.widths import Widths
from protoclip_cli.objectives.base import Objective, ObjectiveSpec, as_float, projected

Teacher = Literal["text", "image", "bank", "frozen_image", "frozen_text"]


class StudentTeacherSpec(ObjectiveSpec):
    """Settings of an objective with a student and a teacher."""

    student: Modality = Modality.IMAGE
    """The tower that learns."""
    head: str | None = None
    """The student's head to read. Null: the embedding itself."""
    teacher: Teacher = "text"
    """Who teaches: the other tower, a bank of features of the captions, or a tower of the frozen model."""
    teacher_head: str | None = None
    """The teaching tower's head to read. Null: the embedding itself."""
    detach_teacher: bool = True
    """No gradient reaches the teacher. False: a teaching tower is pulled to the student too, as in ITRA."""

    def needs(self) -> Needs:
        """The student's view and the teacher's, with their heads."""
        sides = {self.student.value, self.teacher.removeprefix("frozen_")}
        return Needs(
            # A frozen model looks at the views of the towers, so those must be there.
            image_views=int("image" in sides),
            text_views=int("text" in sides),
            heads=frozenset({self.head, self.teacher_head} - {None}),  # type: ignore[arg-type]
            teacher=self.teacher == "bank",
            frozen=self.teacher.startswith("frozen"),
        )

    def teacher_width(self, widths: Widths) -> int:
        """Columns of the teacher's features."""
        if self.teacher == "bank":
            return cast(int, widths.teacher)
        if self.teacher.startswith("frozen"):
            return cast(int, widths.frozen)
        return widths.of(self.teacher_head)

    def common_width(self, widths: Widths) -> int:
        """Columns of both sides' features, for objectives that compare them with one another.

        Raises:
            RecipeError: the sides differ.
        """
        student, teacher = widths.of(self.head), self.teacher_width(widths)
        if student != teacher:
            raise RecipeError(
                f"{self.kind}: the student's features have {student} columns and the teacher's {teacher}",
                hint=f"give the student a head with dim: {teacher} and name it in `head`",
            )
        return student


class StudentTeacher(Objective):
    """Reads the two sides as its spec names them."""

    def __init__(self, spec: StudentTeacherSpec) -> None:
        super().__init__()
        self.sides = spec

    def student_rows(self, inputs: StepInputs) -> Tensor:
        """(B, P) of the student, any length."""
        return projected(inputs.of(self.sides.student)[0], self.sides.head)

    def teacher_rows(self, inputs: StepInputs) -> Tensor:
        """(B, T) of the teacher, any length, in the student's precision; detached where the spec says so."""
        rows = as_float(self._teacher(inputs))
        rows = rows.to(self.student_rows(inputs).dtype)
        return rows.detach() if self.sides.detach_teacher else rows

    def _teacher(self, inputs: StepInputs) -> Any:
        spec = self.sides
        if spec.teacher == "bank":
            return inputs.teacher
        if spec.teacher.startswith("frozen"):
            return getattr(inputs.frozen, spec.teacher.removeprefix("frozen_"))
        return projected(inputs.of(Modality(spec.teacher))[0], spec.teacher_head)
