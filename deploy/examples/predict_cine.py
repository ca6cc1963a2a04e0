"""Name the view of one cine.

python deploy/examples/predict_cine.py loop.dcm
"""

import sys

from echoplane.v1.view_pb2 import View

from services.sync_client import SyncClient

path, address = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "127.0.0.1:50051"
with SyncClient(address) as client:
    answer = client.predict_view(path)
print(View.Name(answer.view), f"{answer.confidence:.2f}", [finding.message for finding in answer.findings])
