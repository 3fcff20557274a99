# One image for every role; docker-compose.yml and deploy/kubernetes give each its command.

# Every package has a wheel: no compiler is needed. This stage is made anew only when the pins change.
FROM python:3.12-slim AS packages
COPY requirements.txt .
COPY requirements-otel.txt .
# --build-arg EXTRAS="--requirement requirements-otel.txt" for traces.
ARG EXTRAS=""
RUN python -m venv /packages \
    && /packages/bin/pip install --no-cache-dir --disable-pip-version-check --requirement requirements.txt ${EXTRAS}

FROM python:3.12-slim
ENV PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    PATH=/packages/bin:$PATH

# Nothing of the hub is written to disk: everything is in PostgreSQL. A number, so that Kubernetes knows that it is not root's.
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin hub

WORKDIR /hub
COPY --from=packages /packages /packages
COPY manage.py .
COPY webhookhub webhookhub
COPY subscriptions subscriptions
COPY deliveries deliveries
COPY config config

USER 10001
EXPOSE 8000
# Of the web server, which this image starts unless it is told otherwise; the other roles bring a check of their own.
HEALTHCHECK --interval=15s --timeout=10s --start-period=20s \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:' + os.environ.get('GRANIAN_PORT', '8000') + '/healthz', timeout=5)"]
CMD ["python", "-m", "granian", "--interface", "asgi", "config.asgi:application"]
