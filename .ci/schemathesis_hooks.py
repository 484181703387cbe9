"""What the contract says in words alone."""

import unicodedata
from functools import partial
from urllib.parse import quote, urlencode

import requests.models
import schemathesis
from hypothesis import strategies

# A query string is percent-encoded: as a form, which is how requests writes it, a space would come as a plus.
requests.models.urlencode = partial(urlencode, quote_via=quote)

# The most common passwords are refused. Of those that are made up here "00000000" and the like are common.
passwords = strategies.text(min_size=8, max_size=128).filter(lambda text: len(set(text)) > 4)
schemathesis.openapi.format("password", passwords)

# The pattern of the answers' phone numbers: what a request may have beyond it is normalised.
phone_numbers = strategies.from_regex(r"^[0-9+.()x#-][0-9 +.()x#-]?[0-9+.()x#-]{2,30}$", fullmatch=True)
schemathesis.openapi.format("phone-number", phone_numbers)


def is_visible(text):
    """Whether a text has none of the characters that have no glyph by their category or by default."""
    fillers = "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u3164\uffa0"
    fillers += "\u2800\ufffc\U0001d159\U00013441\U00013442\U00016fe4"
    return not any(
        unicodedata.category(c) in ("Cc", "Cf", "Cn", "Co", "Zl", "Zp") or c in fillers or "\ufe00" <= c <= "\ufe0f"
        or "\U000e0000" <= c <= "\U000e0fff"
        for c in text
    )


@schemathesis.hook
def filter_body(context, body):
    names = [body.get(name) for name in ("FirstName", "LastName")] if isinstance(body, dict) else []
    return all(is_visible(name) for name in names if isinstance(name, str))
