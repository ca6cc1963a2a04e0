"""Ask the gateway in this container whether it serves: exit code 0 when it does. For HEALTHCHECK.

With TLS only the metrics port is asked, since a probe has no certificate to show; Kubernetes' own gRPC probe knows no
TLS either.
"""

from __future__ import annotations

import os
import sys
import urllib.request

import grpc
from grpc_health.v1 import health_pb2

TIMEOUT_S = 5.0


def is_serving() -> bool:
    """Ask grpc.health.v1, or with TLS the metrics port."""
    if "ECHOPLANE_GATEWAY_TLS_CERTIFICATE_FILE" in os.environ:
        url = f"http://127.0.0.1:{os.environ.get('ECHOPLANE_GATEWAY_METRICS_PORT', '9464')}/metrics"
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:
            return bool(answer.status == 200)
    with grpc.insecure_channel(f"127.0.0.1:{os.environ.get('ECHOPLANE_GATEWAY_PORT', '50051')}") as channel:
        check = channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )
        response = check(health_pb2.HealthCheckRequest(), timeout=TIMEOUT_S)
        return response.status == health_pb2.HealthCheckResponse.SERVING


if __name__ == "__main__":
    try:
        sys.exit(0 if is_serving() else 1)
    except (grpc.RpcError, OSError) as error:
        sys.exit(f"not serving: {type(error).__name__}")
