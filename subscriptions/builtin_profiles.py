"""Which delivery profiles does every hub have? Six, each as the document says that asked for it."""

from __future__ import annotations

from subscriptions.profiles import BodyForm, DeliveryProfile
from subscriptions.statuses import ANY_FAILURE, RetryRule, StatusSet

_MINUTE = 60
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR

_ANY_2XX = StatusSet.parse("2xx")

# One rule for all: a receiver may ask for as long a wait as the longest that its own schedule has.

# 004_0606a3681fd2e877.txt asks for backoff after 4xx, 5xx and timeouts; the waits, the timeout (15 to 30 s), jitter and
# the exception for 410 are those of Standard Webhooks 1.0.0, whose headers the requests carry.
STANDARD = DeliveryProfile(
    name="standard",
    description="For most receivers: any 2xx within 15 seconds; ten attempts spread over three days.",
    timeout_seconds=15,
    success_statuses=_ANY_2XX,
    retry_on=ANY_FAILURE,
    intervals_seconds=(
        5,
        5 * _MINUTE,
        30 * _MINUTE,
        2 * _HOUR,
        5 * _HOUR,
        10 * _HOUR,
        14 * _HOUR,
        20 * _HOUR,
        24 * _HOUR,
    ),
    # The waits sum up to 75 h 35 min 5 s, with the longest jitter 83 h 9 min; the rest is for a pause over a weekend.
    expires_after_seconds=7 * _DAY,
    jitter_ratio=0.1,
    retry_after_cap_seconds=24 * _HOUR,
)

# 004_0606a3681fd2e877.txt, "Best Practices": "Retry with backoff (e.g., 1m, 5m, 30m, 2h)".
SHORT = DeliveryProfile(
    name="short",
    description="As standard, for news that ages quickly: five attempts within three hours.",
    timeout_seconds=15,
    success_statuses=_ANY_2XX,
    retry_on=ANY_FAILURE,
    intervals_seconds=(1 * _MINUTE, 5 * _MINUTE, 30 * _MINUTE, 2 * _HOUR),
    # The waits sum up to 2 h 36 min; a day leaves room for a pause.
    expires_after_seconds=1 * _DAY,
    jitter_ratio=0.1,
    retry_after_cap_seconds=2 * _HOUR,
)

# 000_367773aad2115c27.txt: "Retries initially occur fairly quickly, but the interval between retries increases
# exponentially with subsequent attempts, up to a maximum retry interval", and go on until an administrator cancels.
TRANSACTION = DeliveryProfile(
    name="transaction",
    description="For whoever waits for a transaction: quick retries at first, then hourly, until cancelled or expired.",
    timeout_seconds=15,
    success_statuses=_ANY_2XX,
    retry_on=ANY_FAILURE,
    # The document knows no answer that ends the retries.
    stop_on_gone=False,
    # Ten attempts fall into the first 86 minutes: a restart of the client costs it seconds, a deployment minutes.
    intervals_seconds=(10,),
    # Hourly afterwards: the client hears within an hour of its recovery, and waiting costs 24 requests a day.
    max_interval_seconds=1 * _HOUR,
    # "We don't want webhooks that fail to succeed causing retries forever": two weeks outlast a holiday.
    expires_after_seconds=14 * _DAY,
    jitter_ratio=0.1,
    retry_after_cap_seconds=1 * _HOUR,
)

# 001_b8e5992e24f7d99a.txt, "Error Handling and Retry Mechanism".
INTEGRATION = DeliveryProfile(
    name="integration",
    description="For results of asynchronous jobs: retries on no answer, 408, 502, 503 and 504 only, for 12 hours.",
    # The document has no number: the upper end of what Standard Webhooks recommends, since gateways stand between.
    timeout_seconds=30,
    success_statuses=_ANY_2XX,
    retry_on=RetryRule.parse("no_answer,408,502,503,504"),
    intervals_seconds=(1,),
    max_interval_seconds=1 * _HOUR,
    # The document contradicts itself: the rule ("Backoff Strategy") says 12 hours, the implementation steps say 24. The
    # rule counts.
    expires_after_seconds=12 * _HOUR,
    # The document gives exact waits.
    jitter_ratio=0,
    retry_after_cap_seconds=1 * _HOUR,
    # "REST POST to send results": the body is the result itself.
    body_form=BodyForm.DATA,
)

# 002_44c3dd7dc10608b6.txt, "Sending webhooks to the client application".
ENTITY_CHANGE = DeliveryProfile(
    name="entity-change",
    description="Thin notification of a changed entity: 200 or 204 within 1.5 seconds, three more attempts at once.",
    timeout_seconds=1.5,
    success_statuses=StatusSet.parse("200,204"),
    retry_on=ANY_FAILURE,
    # "With an invalid response": all of them, 410 too.
    stop_on_gone=False,
    # "3 more attempts [...] sequentially, with no timeouts between them".
    intervals_seconds=(0, 0, 0),
    # The attempts take 6 s at most; the day is room for a pause.
    expires_after_seconds=1 * _DAY,
    jitter_ratio=0,
    retry_after_cap_seconds=0,
    body_form=BodyForm.NOTIFICATION,
    # In the manner of the document's "Kladana webhook touch agent 2.0", under our own name.
    user_agent="WebhookHub webhook touch agent 1.0",
    request_id_parameter="requestId",
)

# 003_aa29986268ec5bdc.txt, "Reliability & timings".
CRM = DeliveryProfile(
    name="crm",
    description="For CRM events: any 2xx within a few seconds; ten attempts, doubling from 5 minutes, over two days.",
    # "Within a few seconds".
    timeout_seconds=5,
    success_statuses=_ANY_2XX,
    retry_on=ANY_FAILURE,
    # "Anything else" than 2xx is a failed attempt, and every failed attempt schedules a retry: 410 too.
    stop_on_gone=False,
    # "After a few minutes, and the interval will double".
    intervals_seconds=(5 * _MINUTE,),
    # "~10 attempts spread over a couple of days": nine waits, 5 min x (1 + 2 + ... + 256) = 42 h 35 min.
    max_attempts=10,
    # The ninth wait, the longest that is reached.
    max_interval_seconds=5 * _MINUTE * 256,
    expires_after_seconds=4 * _DAY,
    jitter_ratio=0.1,
    retry_after_cap_seconds=5 * _MINUTE * 256,
)

BUILT_IN_PROFILES = (STANDARD, SHORT, TRANSACTION, INTEGRATION, ENTITY_CHANGE, CRM)
DEFAULT_PROFILE = STANDARD
