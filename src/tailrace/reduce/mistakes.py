"""Say what is wrong between the parts of a model also when parts are wrong in themselves: all mistakes at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import InitErrorDetails

from tailrace.settings import Mistake, Mistakes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pydantic import ModelWrapValidatorHandler
    from pydantic_core import ErrorDetails

M = TypeVar("M", bound=BaseModel)


def with_mistakes(
    value: object,
    handler: ModelWrapValidatorHandler[M],
    mistakes: Iterable[Mistake],
    then: Callable[[M], Iterable[Mistake]] = lambda _: (),
) -> M:
    """Return the model that a handler makes of a value; else raise what it says with the mistakes that were found.

    `then` looks at a model that is good in itself.
    """
    found = list(mistakes)
    try:
        made = handler(value)
        found += then(made)
    except ValidationError as error:
        own = [InitErrorDetails(type="value_error", loc=(), input=value, ctx={"error": each}) for each in found]
        raise ValidationError.from_exception_data(
            error.title, [*(_detail(each) for each in error.errors()), *own]
        ) from None
    if found:
        raise Mistakes(found)
    return made


def _detail(error: ErrorDetails) -> InitErrorDetails:
    """Return an error as pydantic takes it back: without its text."""
    detail = InitErrorDetails(type=error["type"], loc=error["loc"], input=error["input"])
    if "ctx" in error:
        detail["ctx"] = error["ctx"]
    return detail
