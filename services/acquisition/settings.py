"""Settings of the DICOM node: environment variables that begin with ECHOPLANE_NODE_."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Self

from pydantic import Field, field_validator, model_validator
from pydicom.datadict import dictionary_VR, tag_for_keyword

from services.acquisition.guard import GuardLimits
from services.acquisition.inbox import InboxLimits
from services.acquisition.study_naming import SUBJECT_CODE, VISIT
from services.cine.budget import ReadLimits
from services.runtime.settings import ProcessSettings, Profile, is_loopback

TITLE = r"^[A-Za-z0-9_-]{1,16}$"
"""An application entity title (PS3.5 section 6.2, AE), without the characters that confuse."""

_SHORT_TEXTS = ("CS", "LO", "SH")
"""Value representations that a code may have (PS3.5 section 6.2); a person's name (PN) is none of them."""


class Identity(StrEnum):
    """What becomes of whom an object shows, once the gateway has answered."""

    REMOVED = "removed"
    KEPT = "kept"


class NodeSettings(ProcessSettings):
    """Defaults serve a laptop on loopback."""

    prefix = "ECHOPLANE_NODE_"

    profile: Profile = Field(
        Profile.DEMO, description="demo (any title, on loopback only) or site (mutual TLS and the sites file)"
    )
    sites_file: Path | None = Field(None, description="YAML of who may do what, the gateway's; in the profile site")
    host: str = Field("127.0.0.1", description="address that DICOM binds to")
    port: int = Field(11112, ge=0, le=65535, description="DICOM port; 0 takes a free one")
    metrics_host: str = Field("127.0.0.1", description="address that metrics bind to; they name nobody")
    metrics_port: int = Field(9465, ge=0, le=65535, description="Prometheus port; 0 takes a free one")
    title: str = Field("ECHOPLANE", pattern=TITLE, description="AE title that scanners call")
    inbox: Path = Field(Path("out/inbox"), description="folder of received objects, on a local disk")
    max_inbox_bytes: int = Field(InboxLimits.max_bytes, ge=1, description="of all objects kept; more are refused")
    least_free_bytes: int = Field(InboxLimits.least_free_bytes, ge=0, description="that stay free on the inbox's disk")
    retention_s: float = Field(InboxLimits.retention_s, gt=0, description="how long an object stays once reported")
    failed_retention_s: float = Field(
        InboxLimits.failed_retention_s, gt=0, description="how long an object stays once it failed, as it came"
    )
    identity: Identity = Field(
        Identity.REMOVED,
        description="removed (PS3.15 Basic Profile, clean pixels, UIDs replaced) or kept, once answered",
    )
    pseudonym_key_file: Path | None = Field(
        None, description="secret behind replaced UIDs, 32 bytes or more; in the profile demo one is made in the inbox"
    )
    max_waiting: int = Field(
        GuardLimits.max_waiting, ge=1, le=512, description="connections without an association; the oldest go first"
    )
    max_associations: int = Field(GuardLimits.max_associations, ge=1, le=32, description="at the same time")
    max_pdu_bytes: int = Field(GuardLimits.max_pdu_bytes, ge=4096, le=2**20, description="of one message of DICOM's")
    max_object_bytes: int = Field(ReadLimits.max_bytes, ge=1, description="of one object")
    request_timeout_s: float = Field(GuardLimits.request_timeout_s, gt=0, description="for asking for an association")
    idle_timeout_s: float = Field(GuardLimits.idle_timeout_s, gt=0, description="how long a peer may send nothing")
    association_timeout_s: float = Field(GuardLimits.association_timeout_s, gt=0, description="of a whole association")
    drain_timeout_s: float = Field(20.0, ge=0, description="how long associations may finish after SIGTERM")
    tls_certificate_file: Path | None = Field(None, description="PEM; the node's own, towards everybody")
    tls_key_file: Path | None = Field(None, description="PEM")
    tls_client_ca_file: Path | None = Field(None, description="PEM; authority of the scanners' certificates")
    gateway_address: str = Field("127.0.0.1:50051", description="host:port of the gateway's gRPC")
    gateway_ca_file: Path | None = Field(None, description="PEM; authority of the gateway's certificate, turns TLS on")
    gateway_timeout_s: float = Field(60.0, gt=0, description="how long the gateway may take for one object")
    trial: str = Field("", description="trial that the objects are of; a site with one trial may leave it out")
    subject_code_attribute: str = Field(
        SUBJECT_CODE,
        description="DICOM keyword of where the trial's subject code is; believed only in the protocol's shape",
    )
    visit_attribute: str = Field(VISIT, description="DICOM keyword of where the visit is, by its name in the protocol")
    report_host: str = Field("", description="archive that reports are sent to; empty keeps them in the inbox")
    report_port: int = Field(104, ge=1, le=65535, description="DICOM port of that archive")
    report_title: str = Field("ARCHIVE", pattern=TITLE, description="AE title of that archive")
    send_objects: bool = Field(True, description="objects whose identity was removed go to that archive too")
    report_ca_file: Path | None = Field(None, description="PEM; authority of the archive's certificate, turns TLS on")

    @field_validator("subject_code_attribute", "visit_attribute")
    @classmethod
    def _is_a_short_text(cls, keyword: str) -> str:
        tag = tag_for_keyword(keyword)
        if keyword and (tag is None or dictionary_VR(tag) not in _SHORT_TEXTS):
            raise ValueError(f"the keyword of a DICOM attribute that is {', '.join(_SHORT_TEXTS)}, or nothing")
        return keyword

    @model_validator(mode="after")
    def _somebody_is_asked_who_they_are(self) -> Self:
        tls = (self.tls_certificate_file, self.tls_key_file, self.tls_client_ca_file)
        if self.profile is Profile.SITE:
            if None in (*tls, self.sites_file):
                raise ValueError(
                    "the profile site needs TLS_CERTIFICATE_FILE, _KEY_FILE, _CLIENT_CA_FILE and SITES_FILE"
                )
        elif any((*tls, self.sites_file)):
            raise ValueError("SITES_FILE and TLS hold in the profile site (PROFILE=site)")
        elif not is_loopback(self.host):
            raise ValueError("the profile demo lets anybody in, so HOST must be loopback; else set PROFILE=site")
        return self

    @model_validator(mode="after")
    def _replaced_uids_have_a_key(self) -> Self:
        has_key = self.pseudonym_key_file is not None
        if self.identity is Identity.KEPT and has_key:
            raise ValueError("PSEUDONYM_KEY_FILE holds where identities are removed (IDENTITY=removed)")
        if self.identity is Identity.REMOVED and self.profile is Profile.SITE and not has_key:
            raise ValueError("in the profile site IDENTITY=removed needs PSEUDONYM_KEY_FILE")
        return self

    @model_validator(mode="after")
    def _what_arrives_has_room(self) -> Self:
        if self.least_free_bytes < self.max_associations * self.max_object_bytes:
            raise ValueError(
                "LEAST_FREE_BYTES must hold MAX_ASSOCIATIONS objects of MAX_OBJECT_BYTES, which may arrive"
            )
        return self

    @property
    def inbox_limits(self) -> InboxLimits:
        """When the inbox is full."""
        return InboxLimits(
            self.max_inbox_bytes,
            self.least_free_bytes,
            self.retention_s,
            2 * self.idle_timeout_s,
            self.failed_retention_s,
        )

    @property
    def guard_limits(self) -> GuardLimits:
        """What peers may take."""
        return GuardLimits(
            max_waiting=self.max_waiting,
            max_associations=self.max_associations,
            max_pdu_bytes=self.max_pdu_bytes,
            max_object_bytes=self.max_object_bytes,
            request_timeout_s=self.request_timeout_s,
            idle_timeout_s=self.idle_timeout_s,
            association_timeout_s=self.association_timeout_s,
        )
