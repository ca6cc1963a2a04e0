"""The messages of SynthesisService, checked and turned into orders, and jobs and images turned into messages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from echoplane.v1 import synthesis_pb2, view_pb2

from services.cine.errors import LimitExceededError, Reason, RequestInvalidError
from services.cine.views import TARGET_VIEWS
from services.gateway.view_service import IDENTIFIER, to_model
from services.models.echo_synthesizer import ANY_STYLE
from services.models.repository import ModelIdentity
from services.synthesis.generate import Made, Studio
from services.synthesis.ledger import Job
from services.synthesis.plan import SEED_BITS, Cell, ImageFormat, Order, count_missing, count_per_view, order_of

MOST_ENTRIES = 1000
"""Of counts, of what there is, and of styles: more than any model has cells."""

_VIEWS = {view_pb2.View.Value(f"VIEW_{view}"): view for view in TARGET_VIEWS}
_FORMATS = {
    synthesis_pb2.IMAGE_FORMAT_UNSPECIFIED: ImageFormat.PNG,
    synthesis_pb2.IMAGE_FORMAT_PNG: ImageFormat.PNG,
    synthesis_pb2.IMAGE_FORMAT_DICOM: ImageFormat.DICOM,
}

Request = synthesis_pb2.GenerateBatchRequest | synthesis_pb2.CreateSynthesisJobRequest


def checked_identifier(name: str, value: str, least: int = 0) -> str:
    """Give an identifier that is well formed.

    Raises:
        RequestInvalidError: it is not.
    """
    if not IDENTIFIER.fullmatch(value) or len(value) < least:
        raise _invalid(f"a malformed {name}", f"{least} to 64 of [A-Za-z0-9._-]")
    return value


def read_order(request: Request, styles: Sequence[str], most: int) -> Order:
    """Turn a request into an order.

    Args:
        request: what is wanted.
        styles: that the model knows.
        most: images that may be asked for.

    Raises:
        RequestInvalidError: it says nothing, or too much, or names what is not there.
        LimitExceededError: it wants too many images.
    """
    if request.format not in _FORMATS:
        raise _invalid("an unknown format", "a value of its enum")
    if request.seed >= 2**SEED_BITS:
        raise _invalid("a seed that is too large", f"at most 2^{SEED_BITS} - 1")
    order = order_of(_counts(request, styles), request.seed, _FORMATS[request.format])
    if order.total > most:
        raise LimitExceededError(
            Reason.LIMIT_IMAGES,
            found=f"{order.total} images",
            expected=f"at most {most}",
            advice="Ask for fewer, or create a job (CreateSynthesisJob).",
        )
    if not order.total:
        raise _invalid("nothing to make", "at least one image")
    return order


def _counts(request: Request, styles: Sequence[str]) -> dict[Cell, int]:
    if max(len(request.counts), len(request.existing), len(request.styles)) > MOST_ENTRIES:
        raise _invalid(f"more than {MOST_ENTRIES} entries", "one a view and style")
    given = [bool(request.per_view), bool(request.counts), bool(request.existing)]
    if sum(given) != 1:
        raise _invalid(f"{sum(given)} of per_view, counts and existing", "exactly one")
    if request.styles and not request.per_view:
        raise _invalid("styles without per_view", "the style beside each count")
    if request.per_view:
        return count_per_view(request.per_view, [_style(style, styles) for style in dict.fromkeys(request.styles)])
    counts = _cells(request.counts or request.existing, styles)
    return counts if request.counts else count_missing(counts)


def _cells(counts: Iterable[synthesis_pb2.ViewCount], styles: Sequence[str]) -> dict[Cell, int]:
    """Add up counts of the same cell."""
    found: dict[Cell, int] = {}
    for each in counts:
        if each.view not in _VIEWS:
            raise _invalid("a count of a view that is not made", f"one of {', '.join(TARGET_VIEWS)}")
        cell = Cell(_VIEWS[each.view], _style(each.style, styles))
        found[cell] = found.get(cell, 0) + each.count
    return found


def _style(name: str, styles: Sequence[str]) -> str:
    if name and name != ANY_STYLE and name not in styles:
        raise _invalid("an unknown style", f"one of {', '.join((*styles, ANY_STYLE))}, or none")
    return name or ANY_STYLE


def to_generator(identity: ModelIdentity, card: str) -> synthesis_pb2.Generator:
    """Put on the wire what is known of a generator; its card in Markdown."""
    return synthesis_pb2.Generator(styles=identity.styles, card=card)


def to_response(
    made: Made, order: Order, studio: Studio, generator: synthesis_pb2.Generator | None
) -> synthesis_pb2.GenerateBatchResponse:
    """Put an image on the wire, the first one of a batch with its generator."""
    unit, artefact = made.unit, made.artefact
    check = "PASSED" if studio.copy_index else "NOT_DONE"
    return synthesis_pb2.GenerateBatchResponse(
        index=unit.index,
        total=order.total,
        view=f"VIEW_{unit.cell.view}",
        style=unit.cell.style,
        seed=unit.seed,
        format=f"IMAGE_FORMAT_{order.format}",
        image=artefact.data,
        sha256=artefact.sha256,
        copy_check=f"COPY_CHECK_{check}",
        replaced=unit.attempt,
        model=to_model(studio.identity),
        copy_index=studio.copy_index,
        generator=generator,
    )


def to_job(job: Job) -> synthesis_pb2.SynthesisJob:
    """Put a job on the wire."""
    message = synthesis_pb2.SynthesisJob(
        job_id=job.job_id,
        request_id=job.request_id,
        state=f"JOB_STATE_{job.state}",
        total=job.total,
        done=job.done,
        replaced=job.replaced,
        manifest_uri=job.manifest,
        reason=job.reason,
        message=job.message,
        model_sha256=job.model_sha256,
    )
    message.created.FromMilliseconds(round(job.created_s * 1000))
    if job.ended_s:
        message.ended.FromMilliseconds(round(job.ended_s * 1000))
    return message


def _invalid(found: str, expected: str) -> RequestInvalidError:
    return RequestInvalidError(
        Reason.REQUEST_MALFORMED,
        found=found,
        expected=expected,
        advice="See proto/echoplane/v1/synthesis.proto.",
    )
