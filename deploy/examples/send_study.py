"""Send the cines of a study, and see after each what is still missing. For a gateway with a trial's protocol.

python deploy/examples/send_study.py FOLDER STUDY_UID SUBJECT_CODE VISIT
"""

import asyncio
import sys
from pathlib import Path

from echoplane.v1.view_pb2 import CineHeader, View

from services.client import Client


async def show(client: Client, study_id: str, expected: int) -> None:
    """Print each review until so many cines are in."""
    async for review in client.watch_study_review(study_id):  # it goes on by itself if the gateway is started again
        missing = {View.Name(each.view): each.missing for each in review.views if each.missing}
        print(f"{review.cines} cines; still missing: {missing or 'nothing'}")
        for rejection in review.rejections:
            print(f"  {rejection.count} rejected: {rejection.finding.message}")
        if review.cines == expected:
            return


async def main(folder: str, study_id: str, subject_code: str, visit: str, address: str = "127.0.0.1:50051") -> None:
    """Send all files of a folder at the same time; a full queue is waited for."""
    header = CineHeader(study_id=study_id, trial="EXAMPLE-1", subject_code=subject_code, visit=visit)
    first, *others = sorted(Path(folder).iterdir())
    async with Client(address) as client:
        await client.predict_view(first, header)  # a study is known from its first cine on
        async with asyncio.TaskGroup() as group:
            group.create_task(show(client, study_id, 1 + len(others)))
            for path in others:
                group.create_task(client.predict_view(path, header))


asyncio.run(main(*sys.argv[1:]))
