# docker build -t namewright .
# For the small CPU build of torch: --build-arg TORCH_INDEX=<PyTorch's CPU index>

FROM python:3.11-slim-bookworm AS build
ARG TORCH_INDEX=""
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /build
RUN python -m venv /opt/venv

# Dependencies change rarely: their layer comes before our code's.
COPY pyproject.toml constraints.txt ./
RUN python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['dependencies'], sep='\n')" > requirements.txt \
    && /opt/venv/bin/pip install --no-compile --constraint constraints.txt ${TORCH_INDEX:+--extra-index-url "${TORCH_INDEX}"} --requirement requirements.txt

# Only app and models are here, so the package is built without training.
COPY README.md LICENSE ./
COPY models models
COPY app app
RUN /opt/venv/bin/pip install --no-compile --no-deps . && /opt/venv/bin/pip uninstall --yes pip

# What only compiling against the dependencies, or testing them, needs.
WORKDIR /opt/venv/lib/python3.11/site-packages/torch
RUN rm -rf include share test \
    && find bin -mindepth 1 ! -name torch_shm_manager -delete \
    && find /opt/venv -name '*.a' -delete \
    && find /opt/venv -type d -name tests -prune -exec rm -rf {} +


FROM python:3.11-slim-bookworm
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    OPENBLAS_NUM_THREADS=1 \
    NAMEWRIGHT_HOST=0.0.0.0 \
    NAMEWRIGHT_CHECKPOINTS=/srv/checkpoints
COPY --from=build /opt/venv /opt/venv
COPY checkpoints /srv/checkpoints
WORKDIR /srv
# Neither the base image nor the environment has bytecode yet, and the server may not write
# any: keep that of what it and the health check import, and of nothing else.
RUN env --unset=PYTHONDONTWRITEBYTECODE python -c "import app.__main__, app.main, urllib.request, anyio._backends._asyncio, uvicorn.lifespan.on, uvicorn.loops.uvloop, uvicorn.protocols.http.httptools_impl" \
    && chmod -R a+rX checkpoints
USER 65532:65532
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.build_opener(r.ProxyHandler({})).open('http://127.0.0.1:' + os.environ.get('NAMEWRIGHT_PORT', '8000') + '/readyz', timeout=4)"]
CMD ["python", "-m", "app"]
