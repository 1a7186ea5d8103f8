"""Keeps passwords and tokens out of what a run writes: run.json, its log, its artifact.

A rule of texts and values; what is recorded and where is the record's affair.
"""

import logging
import os
import re
from typing import Any

MASK = "***"
SHORTEST = 8
"""Characters of a value of the environment that is looked for; a shorter one stands in any text."""

_NAME = re.compile(
    r"(?:^|[_\-.])(?:token|secret|password|passwd|passphrase|credentials?|api_?key|access_?key|"
    r"private_?key|auth|authorization|signature|sig|key)(?:$|[_\-.]?(?:id|v\d)?$)",
    re.I,
)
_USERINFO = re.compile(r"(?<=://)[^/\s@?#]+@")
_QUERY = re.compile(r"([?&#])([^=&\s#?]+)=([^&\s#\"']+)")
_KNOWN = re.compile(
    r"\bhf_[A-Za-z0-9]{20,}|\bsk-[A-Za-z0-9_\-]{20,}|\bgh[pousr]_[A-Za-z0-9]{20,}|"
    r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|(?<=Bearer )[A-Za-z0-9._~+/=\-]{8,}"
)


def is_secret(name: str) -> bool:
    """Whether a value under this name is one to keep out of sight.

    Example:
        >>> is_secret("api_key"), is_secret("AWS_SECRET_ACCESS_KEY"), is_secret("max_tokens")
        (True, True, False)
    """
    return _NAME.search(name) is not None


def masked(text: str) -> str:
    """A text without the secrets in it.

    These are the user and password of a URL, its parameters with telling names, tokens of known
    forms, and whatever a variable of the environment with a telling name holds.

    Example:
        >>> masked("https://me:word@host/x?token=abc&page=2")
        'https://***@host/x?token=***&page=2'
    """
    for name, value in os.environ.items():
        is_path = value.startswith(("/", "~", "."))  # of a file with a secret in it
        if len(value) >= SHORTEST and value in text and not is_path and is_secret(name):
            text = text.replace(value, MASK)
    text = _USERINFO.sub(f"{MASK}@", text)
    text = _QUERY.sub(
        lambda found: f"{found[1]}{found[2]}={MASK if is_secret(found[2]) else found[3]}", text
    )
    return _KNOWN.sub(MASK, text)


def without_secrets(value: Any, name: str = "") -> Any:
    """JSON values in which each secret has become `{"object": …}`: it must be given again.

    Args:
        value: Text, number, list or mapping.
        name: What it is called.
    """
    if name and is_secret(name) and isinstance(value, str) and value:
        return {"object": "a secret, which is not written down"}
    if isinstance(value, str):
        seen = masked(value)
        return value if seen == value else {"object": f"a text with a secret in it: {seen}"}
    if isinstance(value, dict):
        return {key: without_secrets(part, str(key)) for key, part in value.items()}
    if isinstance(value, list):
        return [without_secrets(part) for part in value]
    return value


class Masking(logging.Filter):
    """Masks secrets in what is logged."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Replace the message where it holds a secret; lets every record through."""
        said = record.getMessage()
        seen = masked(said)
        if seen != said:
            record.msg, record.args = seen, ()
        return True
