"""What the contract says in words alone."""

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
