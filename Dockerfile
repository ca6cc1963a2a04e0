# Echoplane's images: gateway-cpu (the default), gateway-gpu, training. `make image` builds and runs the first.
# Debian's own Python on Debian's own base: deploy/image/build.sh can make that base where no registry can be reached.
ARG BASE=docker.io/library/debian:bookworm-slim

# ---- what every image runs on ---------------------------------------------------------------------------------------
FROM ${BASE} AS python
RUN apt-get update \
 && apt-get install --yes --no-install-recommends python3 \
 && apt-get clean \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 10001 --user-group --no-create-home --home-dir /srv/echoplane --shell /usr/sbin/nologin echoplane
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    ORT_DISABLE_TELEMETRY=1
LABEL org.opencontainers.image.title="Echoplane" \
      org.opencontainers.image.description="Names the standard view of an echocardiogram cine loop. Not a medical device." \
      org.opencontainers.image.licenses="Apache-2.0"
WORKDIR /srv/echoplane
STOPSIGNAL SIGTERM

# ---- the wheel, with its generated stubs ----------------------------------------------------------------------------
FROM python AS builder
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates python3-venv \
 && apt-get clean \
 && rm -rf /var/lib/apt/lists/* \
 && python3 -m venv /opt/venv
ENV PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_CONSTRAINT=/build/requirements.lock
WORKDIR /build
COPY requirements.lock ./

FROM builder AS wheel
COPY pyproject.toml README.md LICENSE ./
COPY proto proto
COPY services services
COPY training training
RUN pip wheel --quiet --no-deps --wheel-dir /wheels .

# ---- gateway on CPU -------------------------------------------------------------------------------------------------
FROM builder AS venv-cpu
COPY --from=wheel /wheels /wheels
RUN pip install --quiet "$(ls /wheels/*.whl)[cpu]" \
 && pip uninstall --quiet --yes pip setuptools

FROM python AS gateway-cpu
COPY --from=venv-cpu /opt/venv /opt/venv
COPY model_repository model_repository
COPY deploy/image/probe.py probe.py
RUN install --directory --owner=10001 --group=10001 out
ENV ECHOPLANE_GATEWAY_HOST=0.0.0.0
EXPOSE 50051 9464
USER 10001:10001
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s CMD ["python3", "probe.py"]
ENTRYPOINT ["python3", "-m", "services.gateway"]

# ---- gateway on NVIDIA GPUs: the CUDA libraries come as wheels, the driver from the host ------------------------------
FROM builder AS venv-gpu
COPY --from=wheel /wheels /wheels
RUN sed --in-place 's/^onnxruntime==/onnxruntime-gpu==/' requirements.lock \
 && pip install --quiet "$(ls /wheels/*.whl)[gpu]" \
 && pip uninstall --quiet --yes pip setuptools

FROM python AS gateway-gpu
COPY --from=venv-gpu /opt/venv /opt/venv
COPY model_repository model_repository
COPY deploy/image/probe.py probe.py
RUN install --directory --owner=10001 --group=10001 out
ENV ECHOPLANE_GATEWAY_HOST=0.0.0.0 \
    ECHOPLANE_GATEWAY_PROVIDER=CUDA \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
EXPOSE 50051 9464
USER 10001:10001
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s CMD ["python3", "probe.py"]
ENTRYPOINT ["python3", "-m", "services.gateway"]

# ---- training: `docker run --gpus all -v "$PWD/runs:/srv/echoplane/runs" ... train classifier --preset gpu` -----------
FROM builder AS venv-training
COPY --from=wheel /wheels /wheels
RUN pip install --quiet "$(ls /wheels/*.whl)[cpu,training]" \
 && pip uninstall --quiet --yes pip

FROM python AS training
COPY --from=venv-training /opt/venv /opt/venv
RUN install --directory --owner=10001 --group=10001 runs model_repository
ENV NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
USER 10001:10001
ENTRYPOINT ["echoplane"]
CMD ["--help"]

# ---- `docker build .` without a target ------------------------------------------------------------------------------
FROM gateway-cpu
