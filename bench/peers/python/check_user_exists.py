"""GET /api/users/exists"""

import re
import unicodedata
from urllib.parse import parse_qs

import table
from http_answers import Problem, endpoint
from limiter import admit

_EMAIL = re.compile(r"[^\s@]{1,64}@[^\s@.]+(\.[^\s@.]+)+")


@endpoint("GET /api/users/exists")
def handler(event):
    admitted, headers = admit(event["requestContext"]["http"]["sourceIp"])
    if not admitted:
        raise Problem(429, "Too Many Requests", headers)
    emails = parse_qs(event["rawQueryString"]).get("Email", [])
    if len(emails) != 1 or not _EMAIL.fullmatch(emails[0].strip()):
        raise Problem(400, "One or more validation errors occurred", headers)
    normalized = unicodedata.normalize("NFC", emails[0].strip()).lower()
    claim = table.get(f"EMAIL#{normalized}", "EMAIL")
    return {"UserExists": claim is not None}, headers


# Opens the connection while the start still has the whole processor.
try:
    table.get("EMAIL#", "EMAIL")
except Exception:
    print('{"level": "WARN", "message": "the table could not be read at start-up"}')
