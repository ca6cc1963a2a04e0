from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from services.cine.cine import FloatArray
from services.cine.errors import ModelContractError
from training.export.acceptance import TOLERANCES, judge, relative_shift, tile
from training.export.triton_process import pack

RNG = np.random.default_rng(3)
GOLDEN: dict[str, FloatArray] = {
    "frames": RNG.normal(size=(5, 1, 4, 4)).astype(np.float32),
    "logits": RNG.normal(size=(5, 4)).astype(np.float32),
    "embedding": RNG.normal(size=(5, 8)).astype(np.float32),
}


@dataclass
class Recorder:
    """Serves the golden answers, off by what it is told."""

    off: Mapping[str, FloatArray] = field(default_factory=dict)
    batches: list[int] = field(default_factory=list)

    def config(self, model: str) -> dict[str, Any]:
        outputs = [{"name": "logits"}, {"name": "embedding"}]
        return {"name": model, "max_batch_size": 16, "input": [{"name": "frames"}], "output": outputs}

    def infer(self, model: str, inputs: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
        batch = len(inputs["frames"])
        self.batches.append(batch)
        np.testing.assert_array_equal(inputs["frames"], tile(GOLDEN["frames"], batch))
        return {name: tile(GOLDEN[name] + self.off.get(name, np.float32(0)), batch) for name in ("logits", "embedding")}


def test_right_answers_pass_at_every_batch_size() -> None:
    server = Recorder()
    judgement = judge(server, "m", GOLDEN)
    assert server.batches == [1, 5, 16]
    assert judgement.is_within(0)


@pytest.mark.parametrize("output", ["logits", "embedding"])
def test_one_wrong_frame_does_not_pass(output: str) -> None:
    off = np.zeros_like(GOLDEN[output])
    off[4, 0] = 0.5
    assert not judge(Recorder({output: off}), "m", GOLDEN).is_within(TOLERANCES["fp16"])


@pytest.mark.parametrize("output", ["logits", "embedding"])
def test_answer_that_is_not_a_number_does_not_pass(output: str) -> None:
    off = np.zeros_like(GOLDEN[output])
    off[0, 0] = np.nan
    assert not judge(Recorder({output: off}), "m", GOLDEN).is_within(1e9)


def test_wrong_logits_do_not_pass_where_every_probability_is_near_one() -> None:
    sure = np.eye(4, dtype=np.float32)[[0, 1, 2, 3, 0]] * 20
    judgement = judge(Recorder({"logits": 2 * sure - GOLDEN["logits"]}), "m", {**GOLDEN, "logits": sure})
    assert judgement.probability_shift < TOLERANCES["fp16"]
    assert not judgement.is_within(TOLERANCES["fp16"])


def test_level_of_the_logits_does_not_count() -> None:
    assert relative_shift("logits", GOLDEN["logits"] + 3, GOLDEN["logits"]) < 1e-6


def test_outputs_are_measured_against_their_size() -> None:
    larger = GOLDEN["embedding"] * np.float32(1.1)
    assert relative_shift("embedding", larger, GOLDEN["embedding"]) == pytest.approx(0.1, rel=1e-3)


def test_answer_of_another_shape_is_a_broken_contract() -> None:
    with pytest.raises(ModelContractError, match="logits"):
        judge(Recorder(), "m", {**GOLDEN, "logits": GOLDEN["logits"][:, :3]})


def test_request_spells_every_type_and_holds_every_byte() -> None:
    inputs = {"noise": np.ones((2, 3), np.float32), "view": np.array([[4], [1]], np.int64)}
    header, body = pack(inputs)
    tensors = json.loads(header)["inputs"]
    assert [tensor["datatype"] for tensor in tensors] == ["FP32", "INT64"]
    assert body == header + inputs["noise"].tobytes() + inputs["view"].tobytes()
    with pytest.raises(KeyError):
        pack({"noise": np.ones(1, np.float64)})
