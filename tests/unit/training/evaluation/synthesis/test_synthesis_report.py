"""The report says what was planted: so many copies, of so many subjects, and every file it names is there."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from services.cine.errors import ConfigError
from services.models.copy_filter import CopyFilter
from tests.unit.models.tiny_model import make_graph, write_model
from tests.unit.training.evaluation.synthesis.made_sets import pictures
from training.evaluation.synthesis.course import take_steps
from training.evaluation.synthesis.indexing import Origin, build_index, judge_all
from training.evaluation.synthesis.pictures import Pictures, join
from training.evaluation.synthesis.replicas import count_replicas
from training.evaluation.synthesis.report import Batch, Findings, Task, render, write_report
from training.evaluation.synthesis.steps import CURVES_FILE, PICTURES_FILE

COPIES, STRANGERS, REPLACED = 6, 34, 5


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Findings, Batch]:
    folder = tmp_path_factory.mktemp("report")
    write_model(folder / "models", make_graph())
    training, held_out = pictures(range(40)), pictures(range(100, 140))
    made = join([training.take(np.arange(COPIES)), pictures(range(200, 200 + STRANGERS))])
    index = build_index(training, pictures(range(300, 360)), Origin("00", "noise", 1, keeps_thumbnails=True))
    task = Task(folder / "out", folder / "models", "simulated <noise>", use_seeds=(), with_maps=False, draws=4)
    unfiltered = join([training.take(np.arange(COPIES + REPLACED)), pictures(range(400, 400 + STRANGERS))])
    batch = Batch(made, training, held_out, ("noise",), held_out.frames[:0], unfiltered, REPLACED)
    return task.out, write_report(batch, index, task), batch


def test_planted_copies_are_counted(reported: tuple[Path, Findings, Batch]) -> None:
    replicas = reported[1].replicas
    assert COPIES <= replicas.samples.hits <= COPIES + 2
    assert COPIES <= replicas.patients.hits <= COPIES + 2
    assert (replicas.samples.count, replicas.patients.count) == (COPIES + STRANGERS, 40)


def test_what_the_filter_removed_is_told_beside_what_is_left(reported: tuple[Path, Findings, Batch]) -> None:
    out, findings, _ = reported
    assert findings.unfiltered is not None
    assert COPIES + REPLACED <= findings.unfiltered.samples.hits <= COPIES + REPLACED + 2
    assert findings.unfiltered.patients.hits > findings.replicas.patients.hits
    replaced = f"{REPLACED}/{REPLACED + COPIES + STRANGERS}"
    for name in ("index.html", "card.md"):
        text = (out / name).read_text()
        assert replaced in text
        assert str(findings.unfiltered.patients) in text


def test_a_batch_without_filter_or_generator_says_so(reported: tuple[Path, Findings, Batch]) -> None:
    out, findings, batch = reported
    unknown = replace(batch, unfiltered=None, replaced=None)
    task = Task(out, out, "noise", use_seeds=())
    page = render("report.html.jinja", unknown, replace(findings, unfiltered=None), task)
    assert "No copy filter looked at the batch" in page
    assert "without the filter was not measured" in page
    assert "drawn without the filter" not in page


def test_quality_against_evaluations_is_taken_in(tmp_path: Path) -> None:
    steps, out = tmp_path / "steps", tmp_path / "out"
    for folder in (steps, out):
        folder.mkdir()
    with pytest.raises(ConfigError, match="evaluate steps"):
        take_steps(steps, out)
    for name in (CURVES_FILE, PICTURES_FILE):
        (steps / name).write_bytes(name.encode())
    assert [name for name, _ in take_steps(steps, out)] == [CURVES_FILE, PICTURES_FILE]
    assert (out / CURVES_FILE).read_bytes() == CURVES_FILE.encode()


def test_every_picture_that_the_page_names_is_there(reported: tuple[Path, Findings, Batch]) -> None:
    out, findings, _ = reported
    page = (out / "index.html").read_text()
    named = re.findall(r'<img src="([^"]+)"', page)
    assert named == [name for name, _ in findings.figures]
    assert len(named) == 3
    assert all((out / name).stat().st_size > 1000 for name in named)
    assert "simulated &lt;noise&gt;" in page


def test_the_page_and_the_values_agree(reported: tuple[Path, Findings, Batch]) -> None:
    out, findings, _ = reported
    held = json.loads((out / "report.json").read_text())
    assert [row["view"] for row in held["rows"]] == ["all"]  # ten pictures of a view are too few
    found = findings.rows[0].figures["frechet"]
    assert held["rows"][0]["figures"]["frechet"]["value"] == found.value
    assert str(found) in (out / "index.html").read_text()


def test_the_card_counts_every_picture(reported: tuple[Path, Findings, Batch]) -> None:
    out, _, batch = reported
    counts = [int(count) for count in re.findall(r"^\| \w+ \| \w+ \| (\d+) \|$", (out / "card.md").read_text(), re.M)]
    assert sum(counts) == len(batch.made)


def test_most_copied_is_of_one_subject() -> None:
    training = pictures(range(30))
    index = build_index(training, pictures(range(300, 360)), Origin("00", "noise", 1, keeps_thumbnails=True))
    made = training.take(np.array([3, 3, 3, 7]))
    replicas = count_replicas(judge_all(CopyFilter(index), made), training.subjects)
    assert (replicas.samples.hits, replicas.patients.hits, replicas.most_copied) == (4, 2, 3)


def test_joined_sets_keep_their_cines_apart() -> None:
    one, two = pictures(range(3)), pictures(range(5))
    joined = join([one, two])
    assert len(np.unique(joined.cines)) == 8
    assert isinstance(joined, Pictures)
