"""Names of types that several modules' annotations share."""
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Optional, Union

import numpy as np

Array = np.ndarray
#: What numpy makes an array of.
ArrayLike = Any
Path = Union[str, "os.PathLike[str]"]
#: A pandas.DataFrame; pandas need not be there.
DataFrame = Any
#: matplotlib.axes.Axes
Axes = Any
#: A knob of the library: number, text, or True and False for yes and no.
Setting = Union[float, str, bool, None]
#: The value of a parameter.
Value = Union[float, int, bool, str]
Values = Mapping[str, Value]
Text = Union[str, bytes]

__all__ = ["Any", "Array", "ArrayLike", "Axes", "Callable", "DataFrame", "Iterable", "Mapping", "Iterator", "Optional", "Path",
           "Sequence", "Setting", "Text", "Union", "Value", "Values"]
