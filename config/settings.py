"""Which parts make up the hub, and how are they set? Django's and Celery's settings, from the environment."""

from __future__ import annotations

from pathlib import Path

import dj_database_url
from django.templatetags.static import static

from config.environment import read_environment, unknown_variables
from config.logging import logging_settings
from config.navigation import NAVIGATION
from webhookhub import doorbell

BASE_DIR = Path(__file__).resolve().parent.parent
ENVIRONMENT, WEBHOOKHUB = read_environment()
# Named at every start and by `manage.py check`: a setting that was misspelt has its default in force.
UNKNOWN_HUB_VARIABLES = unknown_variables()

# ------------------------------------------------------------------------------------------------ Django
SECRET_KEY = ENVIRONMENT.secret_key.get_secret_value()
DEBUG = False
ALLOWED_HOSTS = list(ENVIRONMENT.allowed_hosts)
CSRF_TRUSTED_ORIGINS = [ENVIRONMENT.base_url]
ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"
WSGI_APPLICATION = "config.wsgi.application"
INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "django_celery_beat",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "webhookhub",
    "subscriptions",
    "deliveries",
]
MIDDLEWARE = [
    # First: whoever asks for health or figures names no host of ours and speaks no HTTPS.
    "webhookhub.health.HealthMiddleware",
    "deliveries.metrics.page.MetricsMiddleware",
    "webhookhub.requests_log.RequestLog",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
DATABASES = {
    "default": dj_database_url.parse(
        ENVIRONMENT.database_url.get_secret_value(), conn_max_age=300, conn_health_checks=True
    )
}
AUTH_PASSWORD_VALIDATORS = [{"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"}]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True
FORMAT_MODULE_PATH = ["config.formats"]
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
# Served from the packages themselves, so that no collectstatic stands between a checkout and its first page.
WHITENOISE_USE_FINDERS = True
LOGGING = logging_settings(ENVIRONMENT)
LOGGING_CONFIG = "config.logging.configure_logging"

EMAIL_HOST, EMAIL_PORT = ENVIRONMENT.mail_host, ENVIRONMENT.mail_port
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = ENVIRONMENT.mail_user, ENVIRONMENT.mail_password.get_secret_value()
EMAIL_USE_TLS = ENVIRONMENT.mail_encryption == "starttls"
EMAIL_USE_SSL = ENVIRONMENT.mail_encryption == "tls"
# Whoever presses the button waits for it.
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = ENVIRONMENT.mail_from

UNFOLD = {
    "SITE_TITLE": "WebhookHub",
    "SITE_HEADER": "WebhookHub",
    "SITE_SUBHEADER": "Outstanding and done",
    "SITE_SYMBOL": "webhook",
    "SIDEBAR": {"navigation": NAVIGATION},
    # The login has no other way to it.
    "STYLES": [lambda request: static("webhookhub/admin.css")],
    "DASHBOARD_CALLBACK": "deliveries.admin.home.add_figures",
}

# ------------------------------------------------------------------------------------------------ REST API
REST_FRAMEWORK = {"DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema", "UNAUTHENTICATED_USER": None}
SPECTACULAR_SETTINGS = {
    "TITLE": "WebhookHub",
    "DESCRIPTION": "Tells subscribers over HTTP what happened: signed, retried, every attempt on record.",
    "VERSION": "1",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PUBLIC": True,
    "COMPONENT_SPLIT_REQUEST": True,
    # What is called status or type in several places.
    "ENUM_NAME_OVERRIDES": {
        "DeliveryStatus": "deliveries.models.Status",
        "JobStatus": "deliveries.models.JobStatus",
        "SecretKind": ["hmac", "ed25519"],
    },
    # The pages work where there is no internet.
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    # Else Swagger UI has a server of its makers' look at the document.
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "validatorUrl": None},
}

# ------------------------------------------------------------------------------------------------ HTTPS
SECURE_SSL_REDIRECT = SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = ENVIRONMENT.https
SECURE_HSTS_SECONDS = 31_536_000 if ENVIRONMENT.https else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = ENVIRONMENT.https
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

# ------------------------------------------------------------------------------------------------ Celery
CELERY_BROKER_URL = ENVIRONMENT.celery_broker_url.get_secret_value()
CELERY_TASK_QUEUES = doorbell.queues(CELERY_BROKER_URL)
CELERY_TASK_DEFAULT_QUEUE = doorbell.MAINTENANCE
CELERY_TASK_CREATE_MISSING_QUEUES = False
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TIMEZONE = TIME_ZONE
# A message is acknowledged when its batch is done; what a killed worker had is found by its lease, not by the broker.
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = False
# A batch goes on when the broker is lost: it needs only PostgreSQL, and ending it would cost an attempt each.
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
# Batches are short: a few in hand keep the processes busy while the broker is asked for more.
CELERY_WORKER_PREFETCH_MULTIPLIER = 4
# A fuse: retries that wait in a worker's memory are due within a minute and come in groups.
CELERY_WORKER_ETA_TASK_LIMIT = 1000
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_SEND_TASK_EVENTS = False
# RabbitMQ may hold a worker's connection for longer than the worker does. Were the queue of its name exclusive to that
# connection, a worker that comes back would end.
CELERY_CONTROL_QUEUE_EXCLUSIVE = False
CELERY_CONTROL_QUEUE_DURABLE = True
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_POOL_LIMIT = 10
CELERY_BROKER_POOL_ACQUIRE_TIMEOUT = 5
CELERY_BROKER_TRANSPORT_OPTIONS = doorbell.transport_options(CELERY_BROKER_URL)
# One more try finds out that a pooled connection had died; whoever records an event does not wait for longer.
CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 1, "interval_start": 0, "interval_step": 0, "interval_max": 0}
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
CELERY_BEAT_MAX_LOOP_INTERVAL = 5
# A tick that a busy worker could not run in time is dropped, the next one does its work.
CELERY_BEAT_SCHEDULE = {
    "sweep": {
        "task": "deliveries.sweep",
        "schedule": WEBHOOKHUB.sweep_seconds,
        "options": {"queue": doorbell.MAINTENANCE, "expires": WEBHOOKHUB.sweep_seconds},
    },
    "fold tallies": {
        "task": "deliveries.fold_tallies",
        "schedule": 5.0,
        "options": {"queue": doorbell.MAINTENANCE, "expires": 5.0},
    },
    "maintain partitions": {
        "task": "deliveries.maintain_partitions",
        "schedule": 3600.0,
        "options": {"queue": doorbell.MAINTENANCE, "expires": 3600.0},
    },
}
