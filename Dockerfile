# One image for every role; docker-compose.yml gives each its command.
FROM python:3.12-slim

ENV PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1

WORKDIR /hub

# Every package has a wheel: no compiler is needed. This layer is made anew only when the pins change.
COPY requirements.txt .
RUN pip install --no-cache-dir --disable-pip-version-check --requirement requirements.txt

COPY manage.py .
COPY webhookhub webhookhub
COPY subscriptions subscriptions
COPY deliveries deliveries
COPY config config

# Nothing of the hub is written to disk: everything is in PostgreSQL.
RUN useradd --system --no-create-home --shell /usr/sbin/nologin hub
USER hub

EXPOSE 8000
CMD ["python", "-m", "granian", "--interface", "asgi", "config.asgi:application"]
