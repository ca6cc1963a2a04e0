"""Settings of the site console: environment variables that begin with ECHOPLANE_CONSOLE_."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from services.cine.budget import ReadLimits
from services.runtime.settings import ProcessSettings, Profile, is_loopback


class ConsoleSettings(ProcessSettings):
    """Defaults serve a laptop on loopback."""

    prefix = "ECHOPLANE_CONSOLE_"

    profile: Profile = Field(
        Profile.DEMO, description="demo (plain text to a gateway on this machine) or site (mutual TLS to the gateway)"
    )
    host: str = Field("127.0.0.1", description="address that the page is served on; loopback in every profile")
    port: int = Field(8080, ge=0, le=65535, description="of the page; 0 takes a free one")
    gateway_address: str = Field("127.0.0.1:50051", description="host:port of the gateway's gRPC")
    gateway_ca_file: Path | None = Field(None, description="PEM; authority of the gateway's certificate")
    gateway_timeout_s: float = Field(60.0, gt=0, description="how long the gateway may take for one cine")
    tls_certificate_file: Path | None = Field(None, description="PEM; the console's own, which names its site")
    tls_key_file: Path | None = Field(None, description="PEM")
    trial: str = Field("", description="trial of the calls; a site with one trial may leave it out")
    max_upload_bytes: int = Field(ReadLimits.max_bytes, ge=1, description="largest file that may be dropped")
    max_held_bytes: int = Field(2**30, ge=1, description="bytes of all files in the process together")
    max_running: int = Field(2, ge=1, le=64, description="files sent to the gateway at the same time")
    max_queued: int = Field(16, ge=0, le=4096, description="files that may wait for that; the page sends more later")
    max_films: int = Field(32, ge=1, le=1024, description="cines kept in memory for the screen; the oldest go first")

    @model_validator(mode="after")
    def _nobody_from_elsewhere(self) -> Self:
        if not is_loopback(self.host):
            raise ValueError("the page asks nobody who they are, so HOST must be loopback")
        return self

    @model_validator(mode="after")
    def _the_gateway_is_told_who_asks(self) -> Self:
        tls = (self.gateway_ca_file, self.tls_certificate_file, self.tls_key_file)
        if self.profile is Profile.SITE:
            if None in tls:
                raise ValueError("the profile site needs GATEWAY_CA_FILE, TLS_CERTIFICATE_FILE and TLS_KEY_FILE")
        elif any(tls):
            raise ValueError("GATEWAY_CA_FILE and TLS hold in the profile site (PROFILE=site)")
        return self
