"""Answers as they come from a gateway, for the tests of what is made of them."""

from __future__ import annotations

from pathlib import Path

from echoplane.v1 import view_pb2

from services.answers import Answer

SHA = "ab12"


def accepted(name: str = "a.dcm", confidence: float = 0.95, view: str = "VIEW_A4C") -> Answer:
    response = view_pb2.PredictViewResponse(
        verdict="VERDICT_ACCEPTED",
        view=view,
        confidence=confidence,
        probabilities=[{"view": "VIEW_A4C", "probability": confidence}, {"view": "VIEW_A2C", "probability": 0.02}],
        model={"sha256": SHA, "trained_on": "simulated", "abstain_below": 0.9},
        cine={
            "format": "CINE_FORMAT_DICOM",
            "rows": 240,
            "columns": 320,
            "frame_count": 30,
            "duration_ms": 966.6666,
            "timing_source": "TIMING_SOURCE_FRAME_TIME",
            "row_spacing_mm": 0.5,
        },
    )
    return Answer(Path(name), name, response)


def rejected(name: str = "b.dcm", *codes: str) -> Answer:
    findings = [{"code": f"FINDING_CODE_{code}", "message": f"About {code}."} for code in codes or ("STILL",)]
    response = view_pb2.PredictViewResponse(verdict="VERDICT_REJECTED", findings=findings, model={"sha256": SHA})
    return Answer(Path(name), name, response)


def failed(name: str = "c.dcm", reason: str = "HEADER_DAMAGED") -> Answer:
    return Answer(Path(name), name, None, reason, f"Found {reason}.")
