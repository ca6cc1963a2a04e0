"""Every error Echoplane raises on purpose, in one tree.

EchoplaneError
├── InputError            the caller can fix it
│   ├── CineUnreadableError   the bytes are damaged or are not what they claim
│   ├── CineUnsupportedError  the bytes are sound, Echoplane does not read that kind
│   ├── LimitExceededError    larger, longer or slower than a named limit
│   ├── IdentityRemainsError  who it shows cannot be removed with certainty
│   └── RequestInvalidError   the request itself is malformed
├── CapacityError         the queue is full, or the site's quota used up; try again later
├── UnauthenticatedError  nobody knows who calls
├── AccessDeniedError     this site may not do that
├── ReaderUnavailableError  the process that reads cines is restarting
├── DeadlineError         the caller took too long to send
├── StorageError          images, received objects, or a list of jobs, studies or objects cannot be used (yet)
├── JobUnknownError       no job of that name
├── StudyUnknownError     nothing was recorded of that study
├── TrialUnknownError     no protocol of that trial
├── ModelError            the model cannot answer
│   ├── ModelUnavailableError
│   ├── ModelTimeoutError
│   └── ModelContractError    its tensors or its preprocessing are not what this code was built for
└── ConfigError           the process refuses to start (exit code 2)
"""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """The closed set of reasons: the `reason` of google.rpc.ErrorInfo and the label of metrics."""

    EMPTY = "EMPTY"
    FORMAT_UNKNOWN = "FORMAT_UNKNOWN"
    FORMAT_MISMATCH = "FORMAT_MISMATCH"
    HEADER_DAMAGED = "HEADER_DAMAGED"
    PIXELS_DAMAGED = "PIXELS_DAMAGED"
    PIXELS_MISSING = "PIXELS_MISSING"
    DECODER_CRASHED = "DECODER_CRASHED"
    CODEC_UNSUPPORTED = "CODEC_UNSUPPORTED"
    PIXELS_UNSUPPORTED = "PIXELS_UNSUPPORTED"
    IDENTITY_REMAINS = "IDENTITY_REMAINS"
    LIMIT_BYTES = "LIMIT_BYTES"
    LIMIT_FRAMES = "LIMIT_FRAMES"
    LIMIT_FRAME_SIZE = "LIMIT_FRAME_SIZE"
    LIMIT_PIXELS = "LIMIT_PIXELS"
    LIMIT_DEPTH = "LIMIT_DEPTH"
    LIMIT_INFLATION = "LIMIT_INFLATION"
    LIMIT_TEXT = "LIMIT_TEXT"
    LIMIT_TIME = "LIMIT_TIME"
    LIMIT_MEMORY = "LIMIT_MEMORY"
    LIMIT_IMAGES = "LIMIT_IMAGES"
    REQUEST_MALFORMED = "REQUEST_MALFORMED"
    REQUEST_ID_TAKEN = "REQUEST_ID_TAKEN"
    JOB_UNKNOWN = "JOB_UNKNOWN"
    STUDY_UNKNOWN = "STUDY_UNKNOWN"
    STUDY_MISMATCH = "STUDY_MISMATCH"
    TRIAL_UNKNOWN = "TRIAL_UNKNOWN"
    STORAGE = "STORAGE"
    QUEUE_FULL = "QUEUE_FULL"
    QUOTA = "QUOTA"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    SITE_DENIED = "SITE_DENIED"
    CERTIFICATE_DENIED = "CERTIFICATE_DENIED"
    TRIAL_DENIED = "TRIAL_DENIED"
    METHOD_DENIED = "METHOD_DENIED"
    TITLE_DENIED = "TITLE_DENIED"
    READER_UNAVAILABLE = "READER_UNAVAILABLE"
    DEADLINE = "DEADLINE"
    MODEL_UNAVAILABLE = "MODEL_UNAVAILABLE"
    MODEL_TIMEOUT = "MODEL_TIMEOUT"
    MODEL_CONTRACT = "MODEL_CONTRACT"
    CONFIG = "CONFIG"


def reason_named(name: str) -> Reason:
    """Give a reason by its name on the wire; of another version, or without one, nobody can answer."""
    return Reason(name) if name in frozenset(Reason) else Reason.MODEL_UNAVAILABLE


class EchoplaneError(Exception):
    """An error with a closed reason and a message that says what was found, what was expected and what to do.

    Args:
        reason: which of the closed set.
        found: what was seen; never patient data, never text taken from the input.
        expected: what would have been right.
        advice: what the reader can do about it.
    """

    retryable = False

    def __init__(self, reason: Reason, *, found: str, expected: str, advice: str) -> None:
        self.reason, self.found, self.expected, self.advice = reason, found, expected, advice
        super().__init__(f"Found {found}; expected {expected}. {advice}")


class InputError(EchoplaneError):
    """The caller can fix it."""


class CineUnreadableError(InputError):
    """The bytes are damaged, or are not what they claim to be."""


class CineUnsupportedError(InputError):
    """The bytes are sound, but Echoplane does not read that kind."""


class LimitExceededError(InputError):
    """The cine is larger, longer or slower to read than a named limit."""


class IdentityRemainsError(InputError):
    """Whatever names a person cannot be removed from the object with certainty, so nothing of it is passed on."""

    def __init__(self, *, found: str, expected: str, advice: str) -> None:
        super().__init__(Reason.IDENTITY_REMAINS, found=found, expected=expected, advice=advice)


class RequestInvalidError(InputError):
    """The request is malformed."""


class CapacityError(EchoplaneError):
    """The queue is full, or the site's quota used up.

    Args:
        retry_after_s: when trying again makes sense, s.
        reason: QUEUE_FULL or QUOTA.
    """

    retryable = True

    def __init__(
        self,
        *,
        found: str,
        expected: str,
        advice: str,
        retry_after_s: float = 1.0,
        reason: Reason = Reason.QUEUE_FULL,
    ) -> None:
        super().__init__(reason, found=found, expected=expected, advice=advice)
        self.retry_after_s = retry_after_s


class UnauthenticatedError(EchoplaneError):
    """Nobody knows who calls."""

    def __init__(self, *, found: str, expected: str, advice: str) -> None:
        super().__init__(Reason.UNAUTHENTICATED, found=found, expected=expected, advice=advice)


class AccessDeniedError(EchoplaneError):
    """It is known who calls, and that site may not do this."""


class ReaderUnavailableError(EchoplaneError):
    """The process that reads cines is gone and being started again."""

    retryable = True

    def __init__(self) -> None:
        found, expected = "the reading process gone", "it running"
        super().__init__(Reason.READER_UNAVAILABLE, found=found, expected=expected, advice="Try again in a second.")


class DeadlineError(EchoplaneError):
    """The request did not arrive in time."""

    def __init__(self, *, found: str, expected: str, advice: str) -> None:
        super().__init__(Reason.DEADLINE, found=found, expected=expected, advice=advice)


class StorageError(EchoplaneError):
    """Images, received objects, or a list of jobs, studies or objects cannot be used: a full disk, a store away."""

    retryable = True

    def __init__(self, *, found: str, expected: str, advice: str) -> None:
        super().__init__(Reason.STORAGE, found=found, expected=expected, advice=advice)


class JobUnknownError(EchoplaneError):
    """There is no such job."""

    def __init__(self) -> None:
        found, expected = "no such job", "the job_id of CreateSynthesisJob"
        super().__init__(Reason.JOB_UNKNOWN, found=found, expected=expected, advice="List them (ListSynthesisJobs).")


class StudyUnknownError(EchoplaneError):
    """Nothing was recorded of the study."""

    def __init__(self) -> None:
        found, expected = "no such study", "one that a cine was sent to (CineHeader.study_id)"
        super().__init__(Reason.STUDY_UNKNOWN, found=found, expected=expected, advice="Send its first cine, then ask.")


class TrialUnknownError(EchoplaneError):
    """There is no protocol of the call's trial here."""

    def __init__(self) -> None:
        found, expected = "a trial without a protocol here", "the trial whose protocol the gateway has"
        advice = "Check the trial of the call; one gateway reviews the studies of one trial."
        super().__init__(Reason.TRIAL_UNKNOWN, found=found, expected=expected, advice=advice)


class ModelError(EchoplaneError):
    """The model cannot answer."""


class ModelUnavailableError(ModelError):
    """The model or its server is not there (yet)."""

    retryable = True

    def __init__(self, *, found: str, expected: str, advice: str) -> None:
        super().__init__(Reason.MODEL_UNAVAILABLE, found=found, expected=expected, advice=advice)


class ModelTimeoutError(ModelError):
    """The model did not answer within its deadline."""

    def __init__(self, *, found: str, expected: str, advice: str) -> None:
        super().__init__(Reason.MODEL_TIMEOUT, found=found, expected=expected, advice=advice)


class ModelContractError(ModelError):
    """The model's tensors or its preprocessing are not what this code was built for."""

    def __init__(self, *, found: str, expected: str, advice: str) -> None:
        super().__init__(Reason.MODEL_CONTRACT, found=found, expected=expected, advice=advice)


class ConfigError(EchoplaneError):
    """A setting is wrong; the process refuses to start."""

    def __init__(self, *, found: str, expected: str, advice: str) -> None:
        super().__init__(Reason.CONFIG, found=found, expected=expected, advice=advice)
