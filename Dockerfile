# The service as a small image: no compiler, no tests, no root, and nothing that .dockerignore doesn't let in.
# It listens beyond loopback, so it starts only with API_TOKEN; docker-compose.yml says what it needs without one.
# Settings and secrets are mounted at /app/secrets, where /app/.env and /app/.env.local lead: none of them is in a layer or a variable.
# On ARM build it with --platform linux/amd64: pysqlite3, whose SQLite is safe, has no wheel for Linux on ARM.
ARG BASE=docker.io/library/python:3.13.14-slim-trixie

FROM ${BASE} AS build
COPY requirements.txt /app/
RUN python3 -m venv --without-pip /opt/venv \
 && python3 -m pip --python /opt/venv/bin/python --no-cache-dir --disable-pip-version-check \
      install --require-hashes --only-binary=:all: --no-deps -r /app/requirements.txt \
 && python3 -m pip --python /opt/venv/bin/python check
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
