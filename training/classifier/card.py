"""The view classifier's model card, from its checkpoint."""

from __future__ import annotations

from typing import Any

from services.cine.intake import DEFAULT_MAX_FRAMES
from services.cine.views import ANSWERED_VIEWS
from training.classifier.simulation import families
from training.export.cards import Section, say_minutes, write_card, write_table

_COLUMNS = (
    *("group", "cines", "balanced accuracy (95 %)", *(f"recall {view}" for view in ANSWERED_VIEWS)),
    *("accuracy at 100 / 90 / 80 % coverage", "calibration error", "answered", "accuracy when answered"),
    *("named wrongly", "others refused"),
)

_OPENING = """
Names the standard view of an echocardiogram cine loop from preprocessed frames: A2C, A4C, PLAX, PSAX, or OTHER, which
is every plane and picture that is none of these four.
**Trained on simulated data only. Not a medical device. Every number below is on simulated data** and promises nothing
for real cines.
"""

_LIMITS = """
- No real image was in training or calibration, none chose these weights, and none is behind a number here. Earlier
  weights had failed on one public real cine (`examples_ybr_color.dcm` of pydicom); what that had prompted in pictures
  and recipe was taken back and these weights trained without it (DECISIONS.md). On real cines accuracy is lower; how
  much lower was not measured. The same holds for the coverage: it was set on simulated styles.
- OTHER was learned from simulated planes (apical three- and five-chamber, right-ventricular in- and outflow, subcostal,
  suprasternal, sweeps) and from simulated pictures of other kinds; what is like none of them may get a view's name.
- Colour Doppler, stills and other content that is no B-mode cine are found by rules in front of this model first.
- Adult hearts with the anatomy of the simulator: no congenital disease, no devices, no transoesophageal images.
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
        Section("By plane and heart, unseen styles", _subgroups(checkpoint)),
        Section("Leave one style family out", _left_out(checkpoint)),
        Section("Calibration and abstention", _calibration(checkpoint)),
        Section("Limits", _LIMITS + _calibrated_for(checkpoint)),
        Section("File", f"`1/model.onnx`, sha256 `{sha256}`.\nonnxruntime and torch differ by at most {parity:.1e}."),
    ]
    return write_card("View classifier", _OPENING, sections)


def _data(checkpoint: dict[str, Any]) -> str:
    data, report = checkpoint["config"]["data"], checkpoint["report"]
    found = ", ".join(f"{share:.1%} ({split})" for split, share in report["sector_found"].items())
    frames = ", ".join(f"{count:,} ({split})" for split, count in report["frames"].items())
    return f"""
Simulated cines from `training/simulator`: every subject in each of the four views, and {data["other_share"]:.0%} of the
training cines none of them. Subjects (hearts) are the unit of splitting:
{data["train_subjects"]} to train, {data["calibration_subjects"]} to calibrate, {data["test_subjects"]} to test, none in
two parts. Frames: {frames}. Training saw the families of styles
{", ".join(data["train_families"])} and styles drawn at random ({data["random_share"]:.0%} of the cines); calibration
used {", ".join(checkpoint["config"]["calibration"]["families"])}, which training never saw. Frames went through the
service's own sector finding and preprocessing; a sector was found in {found} of the frames, the true one stood in
elsewhere.
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
    config = checkpoint["config"]
    names = {
        "seen": "all families trained on",
        "unseen": "all families not trained on",
        "unseen_uncalibrated": "neither trained nor calibrated on",
        "unseen_changed": "all families not trained on, changed as in training",
    }
    rows = [_row(f"**{names[name]}**", measured) for name, measured in report["groups"].items()]
    rows += [_row(f"{family} ({_kind(family, config)})", report["families"][family]) for family in families()]
    matrix = report["groups"]["unseen"]["confusion"]
    counts = [[f"**{view}**", *matrix[index]] for index, view in enumerate(ANSWERED_VIEWS)]
    return f"""
One answer a cine, of this one training (seed {config["loop"]["seed"]}); what seeds change is told below, family by
family. Intervals: subjects drawn again with replacement; exact binomial over subjects where none was wrong.

{write_table(_COLUMNS, rows)}

True view (rows) against answer (columns), unseen styles as rendered, without abstention:

{write_table(["", *ANSWERED_VIEWS], counts)}

{report["half_way_cines"]} test cines lie half-way between two planes: they have no right answer and are not counted.
"""


def _subgroups(checkpoint: dict[str, Any]) -> str:
    return write_table(_COLUMNS, [_row(name, found) for name, found in checkpoint["report"]["subgroups"].items()])


def _left_out(checkpoint: dict[str, Any]) -> str:
    left_out = checkpoint.get("left_out")
    return left_out or "Not measured for these weights: `echoplane evaluate families --out FOLDER_OF_THE_RUN` does it."


def _calibrated_for(checkpoint: dict[str, Any]) -> str:
    frames = checkpoint["config"]["data"]["evaluation_frames"]
    return f"""- Calibrated for the mean log-odds of {frames} frames of one cine; the service shows it up to
  {DEFAULT_MAX_FRAMES}. Of single frames it is too sure.
"""


def _row(name: str, measured: dict[str, Any]) -> list[str]:
    low, high = measured["interval_95"]
    selective = " / ".join(f"{value:.3f}" for value in measured["selective_accuracy"].values())
    answered = measured["accuracy_answered"]
    return [
        name,
        f"{measured['cines']}",
        f"{measured['balanced_accuracy']:.3f} ({low:.3f} to {high:.3f})",
        *("-" if value is None else f"{value:.3f}" for value in measured["recalls"]),
        selective,
        f"{measured['calibration_error']:.3f}",
        f"{measured['answered']:.1%}",
        "-" if answered is None else f"{answered:.3f}",
        f"{measured['named_wrongly']:.1%}",
        "-" if measured["others_refused"] is None else f"{measured['others_refused']:.1%}",
    ]


def _kind(family: str, config: dict[str, Any]) -> str:
    if family in config["data"]["train_families"]:
        return "seen"
    return "unseen, calibrated on" if family in config["calibration"]["families"] else "unseen"


def _calibration(checkpoint: dict[str, Any]) -> str:
    calibration, report = checkpoint["calibration"], checkpoint["report"]
    before, after = report["calibration_log_loss_before"], report["calibration"]["balanced_log_loss"]
    is_changed = checkpoint["config"]["calibration"]["is_changed"]
    how = "changed as training frames are, one draw a cine" if is_changed else "as rendered"
    return f"""
Temperature {calibration["temperature"]:.3f} (inside the graph), by class-balanced log loss of cines in unseen styles,
{how}: {before:.3f} before, {after:.3f} after. No view is named below a confidence of
{calibration["abstain_below"]:.4f}, which {calibration["answered"]:.1%} of the calibration cines reach: a
split-conformal threshold, so that of further such cines, in each view by itself, at most
{calibration["wrong_share"]:.0%} are given another view's name. **This is a statement about simulated cines and no
promise on real ones**; a site with 100 to 200 labelled cines of its own sets both anew with
`echoplane evaluate recalibrate`.
"""
