"""Write one folder of the model repository, whole or not at all."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from services.cine.preprocessing import preprocessing_fingerprint
from services.models.spec import ModelSpec
from training.export.half_precision import halve_weights
from training.export.onnx import PARITY_TOLERANCE, Golden, check_parity, export_onnx
from training.export.triton_config import write_config

VERSION = "1"


@dataclass(frozen=True)
class Export:
    """What is written.

    Attributes:
        spec: tensors, labels and name.
        network: trained and calibrated.
        golden: an input and torch's answers.
        parameters: what clients must know of the weights; digest and fingerprint are added here.
        card: the model card, given the ONNX file's sha256 and the largest difference to torch.
        tolerance: largest difference of any output between torch and onnxruntime.
        is_half: whether the file holds its weights in half precision.
        finish: writes what else belongs into the folder, given that and the ONNX file's sha256; gives what the card
            says of it.
    """

    spec: ModelSpec
    network: nn.Module
    golden: Golden
    parameters: dict[str, str]
    card: Callable[[str, float], str]
    tolerance: float = PARITY_TOLERANCE
    is_half: bool = False
    finish: Callable[[Path, str], str] = lambda folder, sha256: ""


def write_model(export: Export, repository: Path) -> Path:
    """Export, check and only then put a model where the service finds it.

    Args:
        export: what to write.
        repository: the model repository's folder.

    Returns:
        The model's folder.

    Raises:
        ParityError: onnxruntime answers otherwise than torch; the folder is left as it was.
    """
    repository.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=repository, prefix=".exporting-") as temporary:
        made = Path(temporary) / export.spec.name
        weights = made / VERSION / "model.onnx"
        weights.parent.mkdir(parents=True)
        export_onnx(export.network, export.spec, weights)
        if export.is_half:
            halve_weights(weights)
        worst = check_parity(weights, export.golden, export.tolerance)
        digest = hashlib.sha256(weights.read_bytes()).hexdigest()
        export.golden.save(weights.with_name("golden.npz"))
        stamps = {
            "labels": ",".join(export.spec.labels),
            "preprocessing": preprocessing_fingerprint(),
            "sha256": digest,
        }
        write_config(export.spec, stamps | export.parameters, made)
        (made / "card.md").write_text(export.card(digest, worst) + export.finish(made, digest))
        final = repository / export.spec.name
        if final.exists():
            final.rename(Path(temporary) / "replaced")  # goes with the temporary folder, after the new one is in place
        made.rename(final)
    return final
