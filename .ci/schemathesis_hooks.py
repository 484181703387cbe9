"""What a schema cannot say."""

import schemathesis
from hypothesis import strategies

# The most common passwords are refused. Of those that are made up here "00000000" and the like are common.
passwords = strategies.text(min_size=8, max_size=128).filter(lambda text: len(set(text)) > 4)
schemathesis.openapi.format("password", passwords)
