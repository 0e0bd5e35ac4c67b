# Convoy in one image. `docker build .` makes the CPU image, `docker build --target gpu .` the one for NVIDIA GPUs, and
# `docker build --target import .` the one of `convoy import` for ONNX sources, which also serves on the CPU.
#
#   dependencies (locked, by hash) ──┐
#   application (compiled) ──────────┼──> runtime: slim Python, no compiler, no pip cache, no root
#
# The GPU image needs no CUDA base: onnxruntime-gpu installs CUDA and cuDNN as wheels, and the host has the driver.

FROM python:3.11-slim-bookworm AS runtime
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Convoy" \
      org.opencontainers.image.description="Image classifiers, dynamically batched, over HTTP." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.revision="${REVISION}"
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/tmp \
    CONVOY_HOST=0.0.0.0 \
    CONVOY_PORT_VARIABLE=PORT \
    CONVOY_KNOWN_MODELS_DIR=/app/known-models
WORKDIR /app
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=3 \
    CMD ["python", "-S", "-m", "service", "health"]
ENTRYPOINT ["python", "-m", "service"]

FROM python:3.11-slim-bookworm AS cpu-dependencies
COPY requirements/cpu.txt /requirements.txt
RUN python -m venv --without-pip /opt/venv \
 && python -m pip --python /opt/venv/bin/python install --no-cache-dir --disable-pip-version-check \
    --require-hashes --no-deps --compile -r /requirements.txt

FROM python:3.11-slim-bookworm AS gpu-dependencies
COPY requirements/gpu.txt /requirements.txt
RUN python -m venv --without-pip /opt/venv \
 && python -m pip --python /opt/venv/bin/python install --no-cache-dir --disable-pip-version-check \
    --require-hashes --no-deps --compile -r /requirements.txt

FROM python:3.11-slim-bookworm AS import-dependencies
COPY requirements/import.txt /requirements.txt
RUN python -m venv --without-pip /opt/venv \
 && python -m pip --python /opt/venv/bin/python install --no-cache-dir --disable-pip-version-check \
    --require-hashes --no-deps --compile -r /requirements.txt

# The modules of the request path become C extensions: pyproject.toml lists them, and says what that gains.
FROM python:3.11-slim-bookworm AS application
COPY requirements/compile.txt /requirements.txt
# hadolint ignore=DL3008
RUN apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/* \
 && python -m venv --without-pip /opt/venv \
 && python -m pip --python /opt/venv/bin/python install --no-cache-dir --disable-pip-version-check \
    --require-hashes --no-deps -r /requirements.txt
WORKDIR /app
COPY LICENSE README.md pyproject.toml ./
COPY contract /app/contract
COPY imaging /app/imaging
COPY network /app/network
COPY service /app/service
RUN HATCH_BUILD_HOOK_ENABLE_MYPYC=true /opt/venv/bin/python -m hatchling build --target wheel --hooks-only \
 && rm -rf README.md pyproject.toml .mypy_cache dist \
 && python -m compileall -q /app

FROM runtime AS import
COPY --from=import-dependencies /opt/venv /opt/venv
COPY --from=application /app /app
COPY convoy.py /app/
COPY training /app/training/
ENTRYPOINT ["python", "-m", "convoy", "import"]
HEALTHCHECK NONE

# The doctor loads every model and records those that pass, so that the first start need not check them. The default
# models_dir is a link to /models, not an ENV, which would take precedence over the folder of a hosting platform.
FROM runtime AS gpu
ENV CONVOY_EXECUTION_PROVIDER=cuda \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
COPY --from=gpu-dependencies /opt/venv /opt/venv
COPY models /models
COPY --from=application /app /app
USER 0
RUN install -d -m 755 /app/known-models && ln -s /models /app/models \
 && python -m service doctor --execution-provider cpu --max-batch-size 256
USER 10001:10001

FROM runtime AS cpu
COPY --from=cpu-dependencies /opt/venv /opt/venv
COPY models /models
COPY --from=application /app /app
USER 0
RUN install -d -m 755 /app/known-models && ln -s /models /app/models \
 && python -m service doctor
USER 10001:10001
