"""Access tokens, verified against the keys that the table holds."""

import os
import time

import jwt

import table
from http_answers import Problem

MAX_AGE = 300
ISSUER, AUDIENCE = os.environ["TOKEN_ISSUER"], os.environ["TOKEN_AUDIENCE"]

_keys = {}
_read_at = None


def read_keys():
    global _keys, _read_at
    item = table.get("SIGNING_KEYS", "SIGNING_KEYS")
    _keys = {key.key_id: key for key in jwt.PyJWKSet.from_json(item["Jwks"]["S"]).keys}
    _read_at = time.monotonic()


def authorize(event, role):
    scheme, _, token = event["headers"].get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Problem(401, "Unauthorized", {"WWW-Authenticate": "Bearer"})
    if _read_at is None or time.monotonic() - _read_at > MAX_AGE:
        read_keys()
    claims = _verify(token)
    roles = claims.get("role", claims.get("roles"))
    if role not in (roles if isinstance(roles, list) else [roles]):
        raise Problem(403, "Forbidden", {"WWW-Authenticate": 'Bearer error="insufficient_scope"'})
    return claims


def _verify(token):
    try:
        key = _keys[jwt.get_unverified_header(token)["kid"]]
        return jwt.decode(
            token,
            key,
            algorithms=[key.algorithm_name],
            issuer=ISSUER,
            audience=AUDIENCE,
            leeway=60,
            options={"require": ["exp", "sub", "OrganizationId"]},
        )
    except (jwt.InvalidTokenError, KeyError):
        raise Problem(401, "Unauthorized", {"WWW-Authenticate": 'Bearer error="invalid_token"'}) from None
