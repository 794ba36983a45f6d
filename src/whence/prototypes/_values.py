"""Are the numbers of an objective or a prior what they must be?"""

from typing import Any

from torch import Tensor

from whence.errors import InvalidInput


def checked(values: Any, batch: int, who: Any) -> Tensor:
    """The values, if there is one for each sample else an error that says who gave them."""
    if not isinstance(values, Tensor) or values.shape != (batch,):
        shape = tuple(values.shape) if isinstance(values, Tensor) else type(values).__name__
        raise InvalidInput(
            f"{who} must give one number for each of {batch} samples, shape ({batch},), got "
            f"{shape}."
        )
    return values
