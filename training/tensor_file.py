"""Read and write the safetensors format with torch alone, so that a rented GPU needs no more than torch, numpy, OpenCV.

Layout: eight bytes with the length of a JSON header (little endian), the header with type, shape and place of each
tensor, then the raw bytes. Reference: github.com/huggingface/safetensors, README, section Format.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

_TYPES: dict[str, np.dtype[Any]] = {"F32": np.dtype("<f4"), "I64": np.dtype("<i8")}
_NAMES = {kind: name for name, kind in _TYPES.items()}


def write_tensors(path: Path, tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str]) -> None:
    """Write tensors and text to one file that is either whole or not there.

    Args:
        path: where to.
        tensors: by name, float32 or int64.
        metadata: text kept in the header.

    Raises:
        KeyError: a tensor is neither float32 nor int64.
    """
    header: dict[str, object] = {"__metadata__": dict(metadata)}
    parts: list[bytes] = []
    offset = 0
    for name, tensor in tensors.items():
        array = np.ascontiguousarray(tensor.detach().cpu().numpy())
        parts.append(array.tobytes())
        place = [offset, offset + array.nbytes]
        header[name] = {"dtype": _NAMES[array.dtype], "shape": list(tensor.shape), "data_offsets": place}
        offset = place[1]
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    half_done = path.with_suffix(f".{os.getpid()}.part")
    with half_done.open("wb") as file:
        file.writelines([len(text).to_bytes(8, "little"), text, *parts])
        file.flush()
        os.fsync(file.fileno())
    half_done.replace(path)


def read_tensors(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Read what `write_tensors` wrote: tensors by name, and the text.

    Raises:
        OSError: the file cannot be read.
        ValueError, KeyError: it is not in this format.
    """
    data = path.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        first, last = entry["data_offsets"]
        array: NDArray[Any] = np.frombuffer(data[start + first : start + last], _TYPES[entry["dtype"]])
        tensors[name] = torch.from_numpy(array.reshape(entry["shape"]).copy())
    return tensors, metadata
