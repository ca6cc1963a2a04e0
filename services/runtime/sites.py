"""Who may do what: the sites file, and the site that a client certificate names.

    sites:
      north:
        trials: {EXAMPLE-1: [PredictView, GetTrialProtocol, ListStudies, NameStudy, GetStudyReview, WatchStudyReview]}
        titles: [NORTH_CART]
        quota: {requests_per_minute: 60, megabytes_per_hour: 20000, images_per_day: 1000}
        denied_fingerprints: [3f5c...]

What is not listed is denied: a site, a trial of it, a method in that trial.
"""

from __future__ import annotations

import hashlib
import re
import ssl
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.cine.errors import AccessDeniedError, ConfigError, Reason, UnauthenticatedError

SITE_URI = "urn:echoplane:site:"
"""A certificate names its site by a subject alternative name of this kind: `URI:urn:echoplane:site:north`."""

_Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")]
_Trial = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,32}$")]
_Fingerprint = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", description="SHA-256 of the certificate in DER")]
_Title = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,16}$", description="DICOM AE title, PS3.5 section 6.2")]
_SITE_URI = re.compile(re.escape(SITE_URI) + r"([a-z0-9][a-z0-9-]{0,31})")


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SiteQuota(_Strict):
    """What a site may use; a site may save up as much as one period's worth."""

    requests_per_minute: int = Field(120, ge=1)
    megabytes_per_hour: int = Field(50_000, ge=1, description="of cines, 10^6 bytes")
    images_per_day: int = Field(10_000, ge=0, description="synthetic ones")


class Site(_Strict):
    """One site: methods by trial, its DICOM titles, its quota, certificates that it lost."""

    trials: dict[_Trial, frozenset[str]]
    titles: frozenset[_Title] = frozenset()
    quota: SiteQuota = SiteQuota()
    denied_fingerprints: frozenset[_Fingerprint] = frozenset()


class Sites(_Strict):
    """The whole file."""

    sites: dict[_Name, Site]

    @classmethod
    def load(cls, path: Path, methods: Sequence[str]) -> Self:
        """Read a sites file.

        Args:
            path: of the file, YAML.
            methods: all that a site may be allowed, by the names on the wire.

        Raises:
            ConfigError: not readable, not of this shape, or a method that does not exist.
        """
        try:
            found = cls.model_validate(yaml.safe_load(path.read_text()))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise _refuse(f"no readable {path.name}", "a sites file, YAML") from error
        except ValidationError as error:
            faults = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
            raise _refuse(f"{faults} in {path.name}", "sites with trials, each with its methods") from error
        named = {method for site in found.sites.values() for allowed in site.trials.values() for method in allowed}
        if unknown := sorted(named - set(methods)):
            raise _refuse(f"{', '.join(unknown)} in {path.name}", f"some of {', '.join(sorted(methods))}")
        return found

    def identify(self, certificate: Certificate) -> str:
        """Name the site of a certificate whose chain was verified.

        Raises:
            UnauthenticatedError: it names no site, or more than one.
            AccessDeniedError: the site is not listed, or it lost this certificate.
        """
        if len(certificate.sites) != 1:
            raise UnauthenticatedError(
                found=f"a certificate that names {len(certificate.sites)} sites",
                expected=f"one subject alternative name URI:{SITE_URI}<name>",
                advice="Ask whoever signs the site's certificates for one.",
            )
        [name] = certificate.sites
        if name not in self.sites:
            raise _deny(Reason.SITE_DENIED, "a site that is not listed", "a site of the sites file")
        if certificate.fingerprint in self.sites[name].denied_fingerprints:
            raise _deny(Reason.CERTIFICATE_DENIED, "a certificate that was withdrawn", "the site's present one")
        return name

    def allow(self, site: str, trial: str, method: str) -> str:
        """Hold a call to what its site may do; an empty `trial` means the site's only one, which is given back.

        Raises:
            AccessDeniedError: the trial is not the site's, or the method is not allowed in it.
        """
        trials = self.sites[site].trials
        chosen = next(iter(trials)) if not trial and len(trials) == 1 else trial
        if chosen not in trials:
            raise _deny(Reason.TRIAL_DENIED, "a trial that this site has no part in", "one of the site's own trials")
        if method not in trials[chosen]:
            raise _deny(Reason.METHOD_DENIED, f"{method}, not allowed to this site in this trial", "a method that is")
        return chosen

    def allow_title(self, site: str, title: str) -> None:
        """Hold a DICOM peer of a site to the titles of that site.

        Raises:
            AccessDeniedError: the title is not the site's.
        """
        if title not in self.sites[site].titles:
            raise _deny(Reason.TITLE_DENIED, "an application entity title that is not the site's", "one of its titles")


class Certificate(_Strict):
    """What counts of a client certificate.

    Attributes:
        fingerprint: SHA-256 of its DER form, hexadecimal.
        sites: that it names.
    """

    fingerprint: str
    sites: tuple[str, ...]

    @classmethod
    def of_call(cls, auth_context: Mapping[str, Sequence[bytes]]) -> Self:
        """Take it from a call's authentication (`grpc.ServicerContext.auth_context`).

        Raises:
            UnauthenticatedError: there is none.
        """
        pem = b"".join(auth_context.get("x509_pem_cert", ())).decode("ascii", "replace")
        if not pem:
            raise UnauthenticatedError(
                found="no client certificate",
                expected="one that the configured authority signed",
                advice="Connect with mutual TLS.",
            )
        names = (name.decode("utf-8", "replace") for name in auth_context.get("x509_subject_alternative_name", ()))
        return cls._of(ssl.PEM_cert_to_DER_cert(pem), names)

    @classmethod
    def of_connection(cls, connection: ssl.SSLObject) -> Self:
        """Take it from a TLS connection that has verified its client (`ssl.CERT_REQUIRED`)."""
        names = (name[1] for name in (connection.getpeercert() or {}).get("subjectAltName", ()) if name[0] == "URI")
        return cls._of(connection.getpeercert(binary_form=True) or b"", map(str, names))

    @classmethod
    def _of(cls, der: bytes, names: Iterable[str]) -> Self:
        sites = (match.group(1) for name in names if (match := _SITE_URI.fullmatch(name)))
        return cls(fingerprint=hashlib.sha256(der).hexdigest(), sites=tuple(sites))


def _deny(reason: Reason, found: str, expected: str) -> AccessDeniedError:
    return AccessDeniedError(
        reason, found=found, expected=expected, advice="Ask the trial's data manager to list it in the sites file."
    )


def _refuse(found: str, expected: str) -> ConfigError:
    return ConfigError(found=found, expected=expected, advice="Correct the sites file (the setting SITES_FILE).")
