"""The verb `echoplane synthesize`: a balanced batch, made here, on a Ray cluster, or by a gateway."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from services.cine.errors import ConfigError, EchoplaneError, reason_named
from services.models.onnx_backend import OnnxBackend
from services.models.repository import read_card
from services.models.spec import ECHO_SYNTHESIZER
from services.predict import PemFile, Trial, read_tls
from services.runtime.logs import configure_logs
from services.synthesis.batch_folder import batch_name, save_sheet
from services.synthesis.copies import CopyFiles, open_copy_check
from services.synthesis.generate import Made, Maker, Studio
from services.synthesis.ledger import Job, JobState, Ledger
from services.synthesis.plan import ImageFormat
from services.synthesis.progress import images_following
from services.synthesis.store import Store
from services.synthesis.wishes import Wish
from services.synthesis.worker import Worker
from services.synthesis_from_gateway import There

_INFER_TIMEOUT_S = 600.0
_POLL_S = 0.5
_INTERRUPTED = 130


class Engine(StrEnum):
    """Where images are made."""

    LOCAL = "local"
    RAY = "ray"


def synthesize(  # noqa: PLR0913, PLR0917 - one argument an option
    per_view: Annotated[int, typer.Option(min=0, help="Images of each of A2C, A4C, PLAX and PSAX.")] = 0,
    count: Annotated[
        list[str] | None, typer.Option(help="VIEW=N or VIEW:STYLE=N; give it as often as there are cells.")
    ] = None,
    balance: Annotated[
        Path | None, typer.Option(help="CSV or manifest.json of what you have: makes what the smaller views lack.")
    ] = None,
    by_style: Annotated[
        bool, typer.Option("--by-style", help="With --balance: bring the styles of the file to balance too.")
    ] = False,
    styles: Annotated[str, typer.Option(help="With --per-view: styles to spread it over, joined by commas.")] = "",
    seed: Annotated[int, typer.Option(min=0, max=2**53 - 1, help="The batch is a function of it.")] = 0,
    image_format: Annotated[ImageFormat, typer.Option("--format", case_sensitive=False)] = ImageFormat.PNG,
    out: Annotated[str, typer.Option(help="Folder or fsspec URL; the batch gets a folder of its own in it.")] = (
        "out/synthetic"
    ),
    server: Annotated[str, typer.Option(help="host:port of a gateway; by default the model runs right here.")] = "",
    job: Annotated[
        str, typer.Option(help="With --server: a request_id; the images are made and kept there, however long.")
    ] = "",
    ca: PemFile = None,
    certificate: PemFile = None,
    key: PemFile = None,
    trial: Trial = "",
    model_repository: Annotated[Path, typer.Option(help="Folder of the models.")] = Path("model_repository"),
    copy_index: Annotated[
        Path | None,
        typer.Option(help="Without --server: what the copy filter looks in; by default beside the model, if any."),
    ] = None,
    copy_record: Annotated[
        Path | None, typer.Option(help="Without --server: where to write why images are copies or none; keep it here.")
    ] = None,
    engine: Annotated[Engine, typer.Option(help="Where to make them, without --server.")] = Engine.LOCAL,
    threads: Annotated[int | None, typer.Option(min=1, max=64, help="Of one inference; by default all cores.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout: where the manifest is.")] = False,
) -> None:
    """Make a balanced batch of synthetic echocardiograms.

    They show nobody and are not for diagnosis; every file says so. The same command makes the same bytes. Here and as a
    job it goes on where it was stopped or killed.

    64 images of each view, here:

    `echoplane synthesize --per-view 64`

    What my own set lacks until all views have as many; its CSV has a column `view`:

    `echoplane synthesize --balance my_labels.csv`

    From a gateway; the second kind is made and kept there, whatever happens to this computer:

    `echoplane synthesize --per-view 64 --server gateway:50051`

    `echoplane synthesize --per-view 20000 --server gateway:50051 --job march-batch`

    A batch's folder holds the images, labels.csv (file, view, style, seed), and manifest.json, which comes after them:
    with it the batch is whole. A contact sheet is drawn last; a job gets none. To load a batch, three lines:

    `rows = list(csv.DictReader(open(f"{folder}/labels.csv")))`

    `images = np.stack([cv2.imread(f"{folder}/{row['file']}", cv2.IMREAD_GRAYSCALE) for row in rows])`

    `views = [row["view"] for row in rows]`

    Exit code 1 when the batch could not be made whole.
    """
    configure_logs("error")
    wish = Wish(
        per_view, tuple(count or ()), balance, by_style, tuple(filter(None, styles.split(","))), seed, image_format
    )
    copies = CopyFiles(copy_index, copy_record)
    _check_server(server, job, copies)
    aside = Console(stderr=True)
    try:
        if server:
            there = There(server, read_tls(ca, certificate, key), trial, job, out, aside)
            manifest = asyncio.run(there.make(wish))
        else:
            here = Here(out, model_repository, copies, engine, threads or len(os.sched_getaffinity(0)), aside)
            manifest = asyncio.run(here.make(wish))
    except KeyboardInterrupt:
        aside.print(_stopped(server, job), highlight=False)
        raise typer.Exit(_INTERRUPTED) from None
    if as_json:
        print(json.dumps({"manifest": manifest}))
    else:
        aside.print(f"Manifest: {manifest}", highlight=False, soft_wrap=True)


def _check_server(server: str, job: str, copies: CopyFiles) -> None:
    if job and not server:
        raise ConfigError(found="--job alone", expected="--server with it", advice="Name the gateway.")
    if server and copies != CopyFiles():
        raise ConfigError(
            found="--copy-index or --copy-record with --server",
            expected="neither",
            advice="The gateway has its own: ECHOPLANE_GATEWAY_SYNTHESIS_COPY_INDEX and _COPY_RECORD.",
        )


def _stopped(server: str, job: str) -> str:
    """Say what Ctrl-C has done."""
    if not server:
        return "Stopped; the same command goes on from here."
    if not job:
        return "Stopped; the same command starts again, for the same bytes."
    return "No longer followed; the gateway goes on, and the same command follows it again."


@dataclass(frozen=True)
class Here:
    """Makes batches in this process, or on a cluster that it drives.

    Attributes:
        out: folder or URL.
        repository: of the models.
        copies: files of the copy filter.
        engine: where images are made.
        threads: of one inference.
        aside: where people read.
    """

    out: str
    repository: Path
    copies: CopyFiles
    engine: Engine
    threads: int
    aside: Console

    async def make(self, wish: Wish) -> str:
        """Make a batch, and say where its manifest is.

        Raises:
            EchoplaneError: it cannot be made, or not now.
        """
        async with AsyncExitStack() as stack:
            maker = await self._open(stack)
            order = wish.order(maker.identity.styles)
            batch_id = batch_name(order, maker.identity, maker.copy_index)
            ledger = Ledger(self._ledger_path(batch_id))
            store = Store(self.out)
            job = ledger.create(batch_id, order, maker.identity.sha256, time.time(), batch_id)
            advance = stack.enter_context(images_following(self.aside, order.total, job.done))

            def told(made: list[Made]) -> None:
                advance(len(made))

            card = partial(read_card, self._folder)
            worker = Worker(ledger, maker, store, f"{os.getpid()}", card=card, told=told)
            job = await _to_the_end(worker, job)
        save_sheet(store, job.job_id)
        return job.manifest

    async def _open(self, stack: AsyncExitStack) -> Maker:
        if self.engine is Engine.RAY:
            from services.synthesis.ray_studio import open_ray_studio

            return stack.enter_context(open_ray_studio(self.repository, self.copies, _INFER_TIMEOUT_S))
        backend = OnnxBackend(self.repository, ECHO_SYNTHESIZER, threads=self.threads)
        stack.push_async_callback(backend.close)
        copies = open_copy_check(self.copies, self._folder, backend.identity.sha256)
        return Studio(backend, copies, None, _INFER_TIMEOUT_S)

    def _ledger_path(self, batch_id: str) -> Path:
        """Keep the list beside the images of a folder; SQLite needs a disk, so a URL's lies in the user's cache."""
        if "://" not in self.out:
            return Path(self.out) / f".{batch_id}.sqlite"
        place = hashlib.sha256(self.out.encode()).hexdigest()[:12]
        return Path.home() / ".cache" / "echoplane" / f".{batch_id}-{place}.sqlite"

    @property
    def _folder(self) -> Path:
        return self.repository / ECHO_SYNTHESIZER.name


async def _to_the_end(worker: Worker, job: Job) -> Job:
    """Work until the job is done; another process may be doing it.

    Raises:
        EchoplaneError: it stopped.
    """
    worker.ledger.reopen(job.job_id)
    while (found := worker.ledger.get(job.job_id)).state is not JobState.DONE:
        if found.reason:
            raise EchoplaneError(
                reason_named(found.reason),
                found=f"a batch that stopped after {found.done} of {found.total} images ({found.message})",
                expected="all of them",
                advice="The same command goes on from here.",
            )
        if not await worker.work_once():
            await asyncio.sleep(_POLL_S)
    return found
