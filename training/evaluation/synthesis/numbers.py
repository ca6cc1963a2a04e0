"""The type of measured values: features come in single precision, statistics are taken in double."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

RealArray = NDArray[np.floating[Any]]
