"""The synthesizer's model card, from its checkpoint."""

from __future__ import annotations

from typing import Any

from training.export.cards import Section, say_minutes, write_card, write_table

_OPENING = """
Makes 112x112 echocardiogram frames of a wanted view (A2C, A4C, PLAX, PSAX) in a wanted source's style from noise.
**{what} Not a medical device; its images are synthetic and show no person.**
"""

_SIMULATED = "Trained on simulated data only: it shows what the simulator shows."
_OWN = "Trained on a site's own images: read that site's conditions before its images leave it."

_LIMITS = """
- Single frames, no motion: two images with neighbouring noise are not two moments of one heart.
- A view and style seen seldom or never together in training are joined from what each alone looks like.
- Images may resemble training images; the copy filter of the service, not this model, looks for that.
- "Any" view or style gives what training showed, as unevenly as it showed it.
"""


def write_synthesizer_card(checkpoint: dict[str, Any], parameters: int, sha256: str, parity: float) -> str:
    """Write the card.

    Args:
        checkpoint: what distillation left, as in checkpoint.json.
        parameters: of the network.
        sha256: of the ONNX file.
        parity: largest difference between onnxruntime and torch on the golden noise.
    """
    what = _SIMULATED if checkpoint["trained_on"] == "simulated" else _OWN
    file = f"`1/model.onnx`, sha256 `{sha256}`; weights in half precision.\n"
    sections = [
        Section("Data", _data(checkpoint)),
        Section("Recipe", _recipe(checkpoint, parameters)),
        Section("Watched while it was trained", _watched(checkpoint)),
        Section("Limits", _LIMITS),
        Section("File", f"{file}onnxruntime and torch differ by at most {parity:.1e} in a range of 2."),
    ]
    return write_card("Echo synthesizer", _OPENING.format(what=what), sections)


def _data(checkpoint: dict[str, Any]) -> str:
    report, data = checkpoint["report"], checkpoint["teacher"]["config"]["data"]
    counted = report["images"]["training"]
    rows = [[style, *(counted[view][style] for view in counted)] for style in data["styles"]]
    rows.append(["**all**", *(sum(counted[view].values()) for view in counted)])
    joint = "as in the thesis: each source shows its own views only" if data["is_confounded"] else "independent"
    return f"""
Frames of {report["subjects"]["training"]:,} subjects to train and {report["subjects"]["held_out"]:,} others to watch
by. View and style: {joint}. {report["left_out"]["training"]:,} frames whose plane had missed the four views were left
out.

{write_table(["style", *counted], rows)}
"""


def _recipe(checkpoint: dict[str, Any], parameters: int) -> str:
    teacher, config = checkpoint["teacher"], checkpoint["config"]
    objective, first, second = teacher["config"]["objective"], teacher["config"]["loop"], config["loop"]
    guidance = config["guidance"]
    return f"""
Teacher: preset `{teacher["config"]["recipe"]}`, {teacher["config"]["network"]["kind"]} network of {parameters:,}
parameters, objective {objective["kind"]}, {first["steps"]:,} steps of {objective["batch_size"]} images; view left open
in {objective["drop_view"]:.0%} and style in {objective["drop_style"]:.0%} of them. {_compute(teacher["compute"])}

Student: preset `{config["recipe"]}`, {len(config["nodes"])} evaluations at noise levels
{", ".join(f"{node:g}" for node in config["nodes"])}; guidance {guidance["weight"]:g} between {guidance["low"]:g} and
{guidance["high"]:g} is inside; {second["steps"]:,} steps of {config["batch_size"]} images against
{config["substeps"]} steps of the teacher for each of its own. {_compute(checkpoint["compute"])} Finished at commit
`{checkpoint["commit"]}`.
"""


def _compute(compute: dict[str, Any]) -> str:
    return (
        f"{say_minutes(compute['rendering_s'])} of rendering and {say_minutes(compute['training_s'])} of training on"
        f" {compute['device']}, {compute['precision']} ({compute['threads']} thread(s) of {compute['cores']}"
        f" {compute['machine']} cores)."
    )


def _watched(checkpoint: dict[str, Any]) -> str:
    parts = (("teacher", checkpoint["teacher"]["report"]["held_out"]), ("student", checkpoint["report"]["held_out"]))
    rows = [
        [who, name, f"{value:.4f}"]
        for who, measured in parts
        for name, value in measured.items()
        if isinstance(value, float) and name not in ("spent_s", "learning_rate")
    ]
    return f"""
Errors on images of held-out subjects, in pixels of [-1, 1]. Fine detail is the power of drawn over that of held-out
images at the spatial frequencies of speckle: 1 is as much, under 1 is blur. How good the images are is measured by
`echoplane evaluate synthesis`, not here.

{write_table(["", "measure", "value"], rows)}
"""
