"""Array types of the simulator: pictures and geometry are float32, time is float64."""

import numpy as np
import numpy.typing as npt

Float32Array = npt.NDArray[np.float32]
TimeArray = npt.NDArray[np.float64]
ByteArray = npt.NDArray[np.uint8]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]


def as_float32(values: npt.ArrayLike) -> Float32Array:
    """Give an array in single precision, the only one pictures and geometry use."""
    return np.asarray(values, dtype=np.float32)


def as_bytes(values: npt.ArrayLike) -> ByteArray:
    """Give an array of bytes, [0, 255]."""
    return np.asarray(values, dtype=np.uint8)
