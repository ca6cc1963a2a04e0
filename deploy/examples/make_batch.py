"""Have a balanced batch of synthetic images made, and write it down. For a gateway with a synthesizer.

python deploy/examples/make_batch.py FOLDER IMAGES_PER_VIEW
"""

import sys
from pathlib import Path

from echoplane.v1.synthesis_pb2 import GenerateBatchRequest
from echoplane.v1.view_pb2 import View

from services.sync_client import SyncClient

folder, per_view = Path(sys.argv[1]), int(sys.argv[2])
address = sys.argv[3] if len(sys.argv) > 3 else "127.0.0.1:50051"


def tell(made: int, total: int) -> None:
    """Show how far it is."""
    print(f"\r{made} of {total}", end="", file=sys.stderr)


folder.mkdir(parents=True, exist_ok=True)
with SyncClient(address) as client:
    for image in client.generate_batch(GenerateBatchRequest(per_view=per_view, seed=1), progress=tell):
        (folder / f"{image.index:05}-{View.Name(image.view)}.png").write_bytes(image.image)
