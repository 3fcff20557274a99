"""Where does a request go? As the hub reads every URL, with the refusal that a transport answers with."""

from __future__ import annotations

from deliveries.transport.errors import BadUrl
from webhookhub.errors import BadUrlError
from webhookhub.targets import Target, parse_url


def read_target(url: str) -> Target:
    """The host and port that `url` means. Raises `BadUrl`."""
    try:
        return parse_url(url)
    except BadUrlError as error:
        raise BadUrl(str(error)) from error
