# The service as a small image: no compiler, no tests, no root, and nothing that .dockerignore doesn't let in.
# It listens beyond loopback, so it starts only with API_TOKEN; docker-compose.yml says what it needs without one.
# Settings and secrets are mounted at /app/secrets, where /app/.env and /app/.env.local lead: none of them is in a layer or a variable.
ARG BASE=docker.io/library/python:3.13.14-slim-trixie

FROM ${BASE} AS build
COPY requirements.txt /build/
# PyPI has no wheel of pysqlite3 for Linux on ARM. There, or with any value of COMPILE_PYSQLITE3, it is built here as its wheels are: from
# its own source around SQLite's, of the version that they have. Everything is checked by its SHA-256.
ARG COMPILE_PYSQLITE3
ARG SQLITE=https://sqlite.org/2026/sqlite-amalgamation-3530400.zip
ARG SQLITE_SHA256=1e71ddf93849c6a6ecf58b827c0692073d2dd7ee40196158068f7b29f422e87d
ARG SETUPTOOLS="setuptools==80.10.2 --hash=sha256:95b30ddfb717250edb492926c92b5221f7ef3fbcc2b07579bcd4a27da21d0173"
WORKDIR /build
RUN set -e; mkdir wheels; \
    if [ -z "$COMPILE_PYSQLITE3" ] && [ "$(uname -m)" = x86_64 ]; then exit; fi; \
    command -v gcc || { apt-get update -qq; apt-get install -qq --no-install-recommends gcc libc6-dev; }; \
    echo "$SETUPTOOLS" >tools.txt; \
    awk '/^[a-z]/ { is_it = /^pysqlite3==/ } is_it { print >"pysqlite3.txt"; next } { print }' requirements.txt >others.txt; \
    mv others.txt requirements.txt; \
    python3 -m venv --without-pip venv; \
    pip() { python3 -m pip --python venv/bin/python --no-cache-dir --disable-pip-version-check "$@"; }; \
    pip install --require-hashes --only-binary=:all: --no-deps -r tools.txt; \
    pip download --require-hashes --no-binary=:all: --no-deps --no-build-isolation -r pysqlite3.txt; \
    mkdir source; tar -xzf pysqlite3-*.tar.gz -C source --strip-components=1; \
    python3 -c "import sys; from urllib.request import urlretrieve; urlretrieve(*sys.argv[1:])" "$SQLITE" sqlite.zip; \
    echo "$SQLITE_SHA256  sqlite.zip" | sha256sum -c; \
    python3 -m zipfile -e sqlite.zip .; cp sqlite-amalgamation-*/sqlite3.[ch] source/; \
    pip wheel --no-deps --no-build-isolation -w wheels ./source
RUN python3 -m venv --without-pip /opt/venv \
 && pip="python3 -m pip --python /opt/venv/bin/python --no-cache-dir --disable-pip-version-check" \
 && $pip install --require-hashes --only-binary=:all: --no-deps -r requirements.txt \
 && for wheel in wheels/*.whl; do [ ! -e "$wheel" ] || $pip install --no-index --no-deps "$wheel" || exit; done \
 && $pip check
COPY . /app/
# A clone's modes depend on its owner's umask; here everyone may read and nobody but root may write. A module or package
# that is missing stops the build here.
RUN chmod -R u=rwX,go=rX /app \
 && /opt/venv/bin/python -m compileall -q /app \
 && cd /app && /opt/venv/bin/python -B -c "import app"

FROM ${BASE}
LABEL org.opencontainers.image.title="hashtag-monitor" \
      org.opencontainers.image.description="A self-hosted monitor of hashtags on X: it collects, serves and shows them" \
      org.opencontainers.image.licenses="MIT"
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
RUN groupadd --gid 10001 monitor \
 && useradd --uid 10001 --gid 10001 --home-dir /app --no-create-home --shell /usr/sbin/nologin --no-log-init monitor \
 && install -d -o 10001 -g 10001 -m 0700 /app/data \
 && mkdir /app/secrets \
 && ln -s secrets/.env secrets/.env.local /app/
WORKDIR /app
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOST=0.0.0.0 \
    PORT=5000
USER 10001:10001
VOLUME /app/data
EXPOSE 5000
# Past any proxy that the environment names, and with no module of the working directory.
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
  CMD python -I -c "from urllib.request import *; build_opener(ProxyHandler({})).open('http://127.0.0.1:$PORT/livez', timeout=4)"
CMD ["python", "app.py"]
