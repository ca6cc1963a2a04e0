"""Our writer of safetensors and the library's reader agree, both ways."""

from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from training.tensor_file import read_tensors, write_tensors


def some_tensors() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {
        "weight": torch.randn(3, 2, 5, 5, generator=generator),
        "scalar": torch.tensor(7.5),
        "count": torch.arange(4),
        "channels_last": torch.randn(2, 4, 3, 3, generator=generator).to(memory_format=torch.channels_last),
    }


def test_library_reads_what_we_write(tmp_path: Path) -> None:
    tensors = some_tensors()
    write_tensors(tmp_path / "a.safetensors", tensors, {"step": "5"})
    with safe_open(tmp_path / "a.safetensors", "pt") as file:
        assert file.metadata() == {"step": "5"}
        assert set(file.keys()) == set(tensors)
        assert all(torch.equal(file.get_tensor(name), value) for name, value in tensors.items())


def test_we_read_what_the_library_writes(tmp_path: Path) -> None:
    tensors = {name: value.contiguous() for name, value in some_tensors().items()}
    save_file(tensors, tmp_path / "b.safetensors", {"step": "9"})
    found, metadata = read_tensors(tmp_path / "b.safetensors")
    assert metadata == {"step": "9"}
    assert all(torch.equal(found[name], value) for name, value in tensors.items())


def test_nothing_half_done_is_left(tmp_path: Path) -> None:
    write_tensors(tmp_path / "c.safetensors", some_tensors(), {})
    assert [path.name for path in tmp_path.iterdir()] == ["c.safetensors"]


def test_other_number_formats_are_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        write_tensors(tmp_path / "d.safetensors", {"half": torch.zeros(2, dtype=torch.float64)}, {})
