# Holdall as an image. Its state is in /data (embedded profile) or wherever the settings of .env.example point.
#   docker build -t holdall . && docker run -p 127.0.0.1:8000:8000 -v holdall:/data holdall

FROM python:3.13-slim-trixie AS build
COPY requirements.txt requirements-build.txt /build/
RUN python -m venv /opt/holdall \
    && /opt/holdall/bin/pip install --no-cache-dir --require-hashes --only-binary :all: \
        --requirement /build/requirements.txt \
    && pip install --no-cache-dir --require-hashes --only-binary :all: --requirement /build/requirements-build.txt
COPY . /build/src
RUN pip wheel --no-index --no-deps --no-build-isolation --wheel-dir /build /build/src \
    && /opt/holdall/bin/pip install --no-index --no-deps /build/holdall-*.whl

FROM python:3.13-slim-trixie
LABEL org.opencontainers.image.title="Holdall" \
      org.opencontainers.image.version="0.2.0"
RUN useradd --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin holdall \
    && install -d -m 0700 -o holdall -g holdall /data
COPY --from=build /opt/holdall /opt/holdall
# The two malloc settings keep upload buffers in the heap, as `make run` does.
ENV PATH=/opt/holdall/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    MALLOC_MMAP_THRESHOLD_=4194304 \
    MALLOC_TRIM_THRESHOLD_=536870912 \
    HOST=0.0.0.0 \
    PORT=8000 \
    DATA_DIR=/data
WORKDIR /opt/holdall
USER 10001:10001
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import http.client, os; c = http.client.HTTPConnection('127.0.0.1', os.environ['PORT'], timeout=4); c.request('GET', '/healthz'); raise SystemExit(c.getresponse().status != 200)"]
ENTRYPOINT ["holdall"]
CMD ["serve"]
