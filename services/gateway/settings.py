"""Settings of the gateway: environment variables that begin with ECHOPLANE_GATEWAY_."""

from __future__ import annotations

from dataclasses import fields
from enum import StrEnum
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from services.cine.budget import ReadLimits
from services.models.onnx_backend import Provider
from services.runtime.settings import ProcessSettings, Profile, is_loopback
from services.synthesis.plan import MOST_IMAGES


class BackendKind(StrEnum):
    """Who runs the models."""

    EMBEDDED = "embedded"
    TRITON = "triton"


class GatewaySettings(ProcessSettings):
    """Defaults serve a laptop on loopback."""

    prefix = "ECHOPLANE_GATEWAY_"

    profile: Profile = Field(
        Profile.DEMO, description="demo (anybody, on loopback only) or site (mutual TLS and the sites file)"
    )
    sites_file: Path | None = Field(None, description="YAML of who may do what, in the profile site")
    host: str = Field("127.0.0.1", description="address that gRPC and metrics bind to")
    port: int = Field(50051, ge=0, le=65535, description="gRPC port; 0 takes a free one")
    metrics_port: int = Field(9464, ge=0, le=65535, description="Prometheus port; 0 takes a free one")
    backend: BackendKind = Field(BackendKind.EMBEDDED, description="embedded (onnxruntime in process) or triton")
    model_repository: Path = Field(
        Path("model_repository"), description="folder of the models; with triton, a copy of what it serves"
    )
    recalibration_file: Path | None = Field(None, description="JSON that `echoplane evaluate recalibrate` wrote")
    provider: Literal["CPU", "CUDA", "TENSORRT"] = Field("CPU", description="where the embedded backend computes")
    onnx_threads: int = Field(1, ge=1, le=64, description="threads of one embedded inference")
    triton_address: str = Field("127.0.0.1:8001", description="host:port of Triton's gRPC endpoint")
    max_running_requests: int = Field(2, ge=1, le=256, description="cines worked on at the same time")
    max_queued_requests: int = Field(16, ge=0, le=4096, description="cines that may wait; more are refused")
    max_request_bytes: int = Field(ReadLimits.max_bytes, ge=1, description="largest cine, bytes of its file")
    max_held_bytes: int = Field(2**30, ge=1, description="bytes of all cines in the process together")
    max_frames: int = Field(ReadLimits.max_frames, ge=1, description="most frames a cine may have")
    max_side_px: int = Field(ReadLimits.max_side_px, ge=1, le=65535, description="rows, and columns, of a frame, px")
    max_total_pixels: int = Field(ReadLimits.max_total_pixels, ge=1, description="rows times columns times frames")
    max_depth: int = Field(ReadLimits.max_depth, ge=1, le=256, description="DICOM sequences inside one another")
    max_elements: int = Field(ReadLimits.max_elements, ge=1, description="DICOM attributes, items and fragments")
    max_text_bytes: int = Field(ReadLimits.max_text_bytes, ge=1, description="longest header attribute that is read")
    max_inflated_bytes: int = Field(ReadLimits.max_inflated_bytes, ge=1, description="deflated data once inflated")
    max_inflation_ratio: int = Field(
        ReadLimits.max_inflation_ratio, ge=1, description="how often larger, beyond 64 MiB, inflated data may be"
    )
    receive_timeout_s: float = Field(60.0, gt=0, description="how long one cine may take to arrive")
    infer_timeout_s: float = Field(10.0, gt=0, description="how long the model may take")
    drain_timeout_s: float = Field(20.0, ge=0, description="how long running requests may finish after SIGTERM")
    synthesis_threads: int = Field(1, ge=1, le=64, description="threads of one embedded synthesis inference")
    synthesis_timeout_s: float = Field(60.0, gt=0, description="how long one synthesis inference may take")
    synthesis_batch_timeout_s: float = Field(
        600.0, gt=0, description="how long one GenerateBatch may take, the time its caller takes to read it included"
    )
    synthesis_max_queued: int = Field(
        4, ge=0, le=256, description="GenerateBatch calls that may wait for the running one"
    )
    synthesis_max_batch_images: int = Field(1024, ge=1, description="images of one GenerateBatch")
    synthesis_max_job_images: int = Field(MOST_IMAGES, ge=1, description="images of one job")
    synthesis_max_jobs: int = Field(64, ge=1, description="jobs that may be open at the same time")
    synthesis_output: str = Field("out/synthetic", description="folder or fsspec URL of the jobs' images")
    synthesis_ledger: Path = Field(Path("out/synthetic.sqlite"), description="list of jobs, on a local disk")
    synthesis_lease_s: float = Field(10.0, ge=0.5, description="how long a dead worker's job waits for the next")
    synthesis_copy_index: Path | None = Field(
        None, description="what the copy filter looks in; by default copy_index.npz of the synthesizer's folder, if any"
    )
    synthesis_copy_record: Path | None = Field(
        None, description="file for why images are copies or none; hints at who was trained on, so it stays here"
    )
    trial_protocol: Path | None = Field(
        None, description="YAML of the trial whose studies are reviewed; by default none are, and study_id is ignored"
    )
    study_database: Path = Field(Path("out/studies.sqlite"), description="record of studies, on a local disk")
    study_key_file: Path | None = Field(
        None, description="secret of 32 bytes or more that study UIDs are hashed with; the record needs it for good"
    )
    study_retention_days: int = Field(365, ge=1, description="how long a study stays after its last cine")
    study_max_watching: int = Field(64, ge=1, description="WatchStudyReview calls at the same time")
    sandbox_memory_mib: int = Field(4096, ge=1024, description="address space of the process that reads a cine")
    sandbox_cpu_s: int = Field(20, ge=1, description="processor time for reading a cine")
    sandbox_wall_s: int = Field(30, ge=1, description="time for reading a cine")
    tls_certificate_file: Path | None = Field(None, description="PEM; with the key turns TLS on")
    tls_key_file: Path | None = Field(None, description="PEM")
    tls_client_ca_file: Path | None = Field(None, description="PEM; turns mutual TLS on")

    @model_validator(mode="after")
    def _tls_is_whole(self) -> Self:
        if (self.tls_certificate_file is None) != (self.tls_key_file is None):
            raise ValueError("TLS needs both the certificate and the key file")
        if self.tls_client_ca_file is not None and self.tls_certificate_file is None:
            raise ValueError("mutual TLS needs the server's certificate and key file too")
        return self

    @model_validator(mode="after")
    def _somebody_is_asked_who_they_are(self) -> Self:
        if self.profile is Profile.SITE:
            if self.tls_client_ca_file is None or self.sites_file is None:
                raise ValueError("the profile site needs TLS_CLIENT_CA_FILE and SITES_FILE")
        elif self.sites_file is not None:
            raise ValueError("SITES_FILE holds in the profile site (PROFILE=site)")
        elif not is_loopback(self.host):
            raise ValueError("the profile demo lets anybody in, so HOST must be loopback; else set PROFILE=site")
        return self

    @model_validator(mode="after")
    def _study_review_is_whole(self) -> Self:
        if (self.trial_protocol is None) != (self.study_key_file is None):
            raise ValueError("the study review needs both the trial's protocol and the study key file")
        return self

    @property
    def read_limits(self) -> ReadLimits:
        """What a cine may cost: every limit is the setting of its name, but for the bytes of a request."""
        named = {field.name: getattr(self, field.name) for field in fields(ReadLimits) if field.name != "max_bytes"}
        return ReadLimits(max_bytes=self.max_request_bytes, **named)

    @property
    def onnx_provider(self) -> Provider:
        """The provider by its onnxruntime name."""
        return Provider[self.provider]
