"""The view classifier's model card, from its checkpoint."""

from __future__ import annotations

from typing import Any

from services.cine.views import TARGET_VIEWS
from training.export.cards import Section, say_minutes, write_card, write_table
from training.simulator.styles import SEEN_STYLES, STYLES

_OPENING = """
Names the standard view (A2C, A4C, PLAX, PSAX) of an echocardiogram cine loop from preprocessed frames.
**Trained on simulated data only. Not a medical device. Every number below is on simulated data** and promises nothing
for real cines.
"""

_LIMITS = """
- No real image was used for training, calibration or any number here. One public cine (`examples_ybr_color.dcm` of
  pydicom) was looked at while the kinds of augmentation were written: it says nothing about accuracy. On real cines
  accuracy is lower; how much lower was not measured. The same holds for the coverage: it was set on simulated styles.
- Knows four views. Any other view (apical three- or five-chamber, subcostal, suprasternal, and so on) gets one of the
  four or no answer; nothing here was trained to reject it.
- Colour Doppler, stills and other content that is no B-mode cine are found by rules in front of this model, not by it.
- Adult hearts with the anatomy of the simulator: no congenital disease, no devices, no transoesophageal images.
- Calibrated for the mean log-odds of about eight frames of one cine; single frames are over-confident.
"""


def write_classifier_card(checkpoint: dict[str, Any], facts: dict[str, Any], sha256: str, parity: float) -> str:
    """Write the card.

    Args:
        checkpoint: what training left, as in checkpoint.json.
        facts: parameters, multiply_adds and bytes of the network.
        sha256: of the ONNX file.
        parity: largest difference between onnxruntime and torch on the golden pair.
    """
    sections = [
        Section("Data", _data(checkpoint)),
        Section("Recipe", _recipe(checkpoint, facts)),
        Section("Results on simulated test subjects", _results(checkpoint)),
        Section("Calibration and abstention", _calibration(checkpoint)),
        Section("Limits", _LIMITS),
        Section("File", f"`1/model.onnx`, sha256 `{sha256}`.\nonnxruntime and torch differ by at most {parity:.1e}."),
    ]
    return write_card("View classifier", _OPENING, sections)


def _data(checkpoint: dict[str, Any]) -> str:
    data, report = checkpoint["config"]["data"], checkpoint["report"]
    found = ", ".join(f"{share:.1%} ({split})" for split, share in report["sector_found"].items())
    frames = ", ".join(f"{count:,} ({split})" for split, count in report["frames"].items())
    return f"""
Simulated cines from `training/simulator`, {data["balance"]} over views. Subjects (hearts) are the unit of splitting:
{data["train_subjects"]} to train, {data["calibration_subjects"]} to calibrate, {data["test_subjects"]} to test, none in
two parts. Frames: {frames}. Training saw the styles {", ".join(SEEN_STYLES)}; calibration used
{", ".join(checkpoint["config"]["calibration"]["styles"])}, which training never saw. Frames went through the service's
own sector finding and preprocessing; a sector was found in {found} of the frames, the true one stood in elsewhere.
"""


def _recipe(checkpoint: dict[str, Any], facts: dict[str, Any]) -> str:
    config, compute = checkpoint["config"], checkpoint["compute"]
    loop = config["loop"]
    return f"""
Preset `{config["recipe"]}`, finished at commit `{checkpoint["commit"]}`: {loop["steps"]:,} steps of
{config["objective"]["batch_size"]} frames, AdamW, cosine, weights averaged with {loop["ema_decay"]},
seed {loop["seed"]}, {compute["precision"]}; strong changes of geometry and grey
(`training/classifier/augmentation.py`). Network: {facts["parameters"]:,} parameters,
{facts["multiply_adds"] / 1e6:.0f} million multiply-adds a frame, {facts["bytes"] / 1e6:.1f} MB.

Compute: {say_minutes(compute["rendering_s"])} of rendering and {say_minutes(compute["training_s"])} of training on
{compute["device"]} ({compute["threads"]} thread(s) of {compute["cores"]} {compute["machine"]} cores). Again with
`echoplane train classifier --preset {config["recipe"]}`.
"""


def _results(checkpoint: dict[str, Any]) -> str:
    report = checkpoint["report"]
    calibrated = checkpoint["config"]["calibration"]["styles"]
    names = {
        "seen": "all seen styles",
        "unseen": "all unseen styles",
        "unseen_uncalibrated": "unseen by training and calibration",
        "unseen_changed": "all unseen styles, changed as in training",
    }
    rows = [_row(f"**{names[name]}**", measured) for name, measured in report["groups"].items()]
    rows += [_row(f"{style} ({_kind(style, calibrated)})", report["styles"][style]) for style in STYLES]
    columns = ["style", "cines", "balanced accuracy (95 %)", *(f"recall {view}" for view in TARGET_VIEWS)]
    columns += ["accuracy at 100 / 90 / 80 % coverage", "calibration error", "answered", "accuracy when answered"]
    matrix = report["groups"]["unseen"]["confusion"]
    counts = [[f"**{view}**", *matrix[index]] for index, view in enumerate(TARGET_VIEWS)]
    return f"""
One answer a cine. Intervals: subjects drawn again with replacement; exact binomial over subjects where none was wrong.

{write_table(columns, rows)}

True view (rows) against answer (columns), unseen styles as rendered, without abstention:

{write_table(["", *TARGET_VIEWS], counts)}
"""


def _row(name: str, measured: dict[str, Any]) -> list[str]:
    low, high = measured["interval_95"]
    selective = " / ".join(f"{value:.3f}" for value in measured["selective_accuracy"].values())
    answered = measured["accuracy_answered"]
    return [
        name,
        f"{measured['cines']}",
        f"{measured['balanced_accuracy']:.3f} ({low:.3f} to {high:.3f})",
        *(f"{value:.3f}" for value in measured["recalls"]),
        selective,
        f"{measured['calibration_error']:.3f}",
        f"{measured['answered']:.1%}",
        "-" if answered is None else f"{answered:.3f}",
    ]


def _kind(style: str, calibrated: list[str]) -> str:
    if style in SEEN_STYLES:
        return "seen"
    return "unseen, calibrated on" if style in calibrated else "unseen"


def _calibration(checkpoint: dict[str, Any]) -> str:
    calibration, report = checkpoint["calibration"], checkpoint["report"]
    before, after = report["calibration_log_loss_before"], report["calibration"]["balanced_log_loss"]
    is_changed = checkpoint["config"]["calibration"]["is_changed"]
    how = "changed as training frames are, one draw a cine" if is_changed else "as rendered"
    return f"""
Temperature {calibration["temperature"]:.3f} (inside the graph), by class-balanced log loss of cines in unseen styles,
{how}: {before:.3f} before, {after:.3f} after. No view is named below a confidence of
{calibration["abstain_below"]:.4f}, which {calibration["coverage"]:.1%} of the calibration cines reach. This holds
for such simulated cines only; a site with 100 to 200 labelled cines of its own should set it anew.
"""
