# docker build -t namewright .
# For the small CPU build of torch: --build-arg TORCH_INDEX=<PyTorch's CPU index>
# docs/container.md says what else can be given, and what of it all is held to a hash.
ARG BASE_IMAGE=python:3.11-slim-bookworm

FROM ${BASE_IMAGE} AS build
ARG TORCH_INDEX=""
ARG TORCH_SHA256=""
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /build
RUN python -m venv /opt/venv

# Dependencies change rarely: their layers come before our code's. No code of theirs is run.
COPY deploy/requirements.lock ./
RUN /opt/venv/bin/pip install --no-compile --no-deps --only-binary :all: --require-hashes --requirement requirements.lock

# The index decides which build of torch it is, so only the builder can know its hash. The second
# step brings what the first one left: torch where no hash was given, and NVIDIA's libraries for
# CUDA's build, at the versions that this names.
COPY constraints.txt ./
RUN torch="$(grep '^torch==' constraints.txt)" \
    && if [ -n "${TORCH_SHA256}" ]; then \
        echo "${torch} --hash=sha256:${TORCH_SHA256}" > torch.lock \
        && /opt/venv/bin/pip install --no-compile --no-deps --only-binary :all: --require-hashes ${TORCH_INDEX:+--extra-index-url "${TORCH_INDEX}"} --requirement torch.lock; fi \
    && /opt/venv/bin/pip install --no-compile --only-binary :all: --constraint constraints.txt ${TORCH_INDEX:+--extra-index-url "${TORCH_INDEX}"} torch

# Only app and models are here, so the package is built without training.
COPY pyproject.toml README.md LICENSE ./
COPY models models
COPY app app
RUN /opt/venv/bin/pip install --no-compile --no-deps --no-build-isolation . \
    && /opt/venv/bin/pip check \
    && /opt/venv/bin/pip uninstall --yes pip

# What only compiling against the dependencies, or testing them, needs.
WORKDIR /opt/venv/lib/python3.11/site-packages/torch
RUN rm -rf include share test \
    && find bin -mindepth 1 ! -name torch_shm_manager -delete \
    && find /opt/venv -name '*.a' -delete \
    && find /opt/venv -type d -name tests -prune -exec rm -rf {} +


# What is in the environment, listed by a tool that stays outside of it. Nothing of this stage but
# the list comes into the image, so its base may be any with the same Python.
FROM python:3.11-slim-bookworm AS sbom
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /build
COPY deploy/sbom.lock ./
RUN python -m venv /opt/sbom \
    && /opt/sbom/bin/pip install --no-compile --no-deps --only-binary :all: --require-hashes --requirement sbom.lock
COPY --from=build /opt/venv /opt/venv
COPY pyproject.toml ./
RUN /opt/sbom/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible --output-file sbom.cdx.json /opt/venv/bin/python


FROM ${BASE_IMAGE}
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    OPENBLAS_NUM_THREADS=1 \
    NAMEWRIGHT_HOST=0.0.0.0 \
    NAMEWRIGHT_CHECKPOINTS=/srv/checkpoints
COPY --from=build /opt/venv /opt/venv
COPY --from=sbom /build/sbom.cdx.json /srv/sbom.cdx.json
COPY checkpoints /srv/checkpoints
WORKDIR /srv
# Neither the base image nor the environment has bytecode yet, and the server may not write
# any: keep that of what it and the health check import, and of nothing else.
RUN env --unset=PYTHONDONTWRITEBYTECODE python -c "import app.__main__, app.worker, app.workers, app.span_export, urllib.request, anyio._backends._asyncio, uvicorn.lifespan.on, uvicorn.loops.uvloop, uvicorn.protocols.http.httptools_impl" \
    && chmod -R a+rX checkpoints sbom.cdx.json
USER 65532:65532
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.build_opener(r.ProxyHandler({})).open('http://127.0.0.1:' + os.environ.get('NAMEWRIGHT_PORT', '8000') + '/readyz', timeout=4)"]
CMD ["python", "-m", "app"]
