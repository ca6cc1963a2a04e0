"""The client of the gateway for programs without an event loop: the same calls, waited for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from functools import wraps
from threading import Thread
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from services.client import Client, Tls
from services.retries import DEFAULT_RETRY, Retry

_P = ParamSpec("_P")
_T = TypeVar("_T")


def _waited(
    method: Callable[Concatenate[Client, _P], Coroutine[Any, Any, _T]],
) -> Callable[Concatenate[SyncClient, _P], _T]:
    """Make a call of one answer one that is waited for."""

    @wraps(method)
    def call(client: SyncClient, /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        return client.wait(method(client.on_loop, *args, **kwargs))

    return call


def _iterated(
    method: Callable[Concatenate[Client, _P], AsyncGenerator[_T, None]],
) -> Callable[Concatenate[SyncClient, _P], Iterator[_T]]:
    """Make a call of many answers one whose answers are waited for one by one."""

    @wraps(method)
    def call(client: SyncClient, /, *args: _P.args, **kwargs: _P.kwargs) -> Iterator[_T]:
        answers = method(client.on_loop, *args, **kwargs)
        try:
            while True:
                try:
                    answer = client.wait(answers.__anext__())
                except StopAsyncIteration:
                    return
                yield answer
        finally:
            client.wait(answers.aclose())

    return call


class SyncClient:
    """Calls the gateway as `Client` does, method by method, from any thread, and waits for each answer.

    Its calls run on an event loop in a thread of its own. Progress is told on that thread.

    Args:
        address: host:port.
        tls: how to encrypt; None speaks plain text, for loopback.
        trial: for which trial; a site that takes part in one only need not say.
        retry: how calls are made again; None not at all.
    """

    def __init__(
        self, address: str, tls: Tls | None = None, trial: str = "", retry: Retry | None = DEFAULT_RETRY
    ) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="echoplane-client", daemon=True)
        self._thread.start()

        async def connect() -> Client:
            return Client(address, tls, trial, retry)

        self.on_loop = self.wait(connect())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the connection, and with it whatever is still being asked."""
        self.wait(self.on_loop.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def wait(self, asked: Coroutine[Any, Any, _T]) -> _T:
        """Wait for a call that runs on the loop; Ctrl-C ends the call too."""
        running = asyncio.run_coroutine_threadsafe(asked, self._loop)
        try:
            return running.result()
        except BaseException:
            running.cancel()
            raise

    predict_view = _waited(Client.predict_view)
    generate_batch = _iterated(Client.generate_batch)
    create_synthesis_job = _waited(Client.create_synthesis_job)
    get_synthesis_job = _waited(Client.get_synthesis_job)
    list_synthesis_jobs = _waited(Client.list_synthesis_jobs)
    cancel_synthesis_job = _waited(Client.cancel_synthesis_job)
    get_study_review = _waited(Client.get_study_review)
    watch_study_review = _iterated(Client.watch_study_review)
    get_trial_protocol = _waited(Client.get_trial_protocol)
    list_studies = _waited(Client.list_studies)
    name_study = _waited(Client.name_study)
