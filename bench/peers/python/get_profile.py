"""GET /api/users/profile"""

import table
import tokens
from http_answers import Problem, endpoint


@endpoint("GET /api/users/profile")
def handler(event):
    claims = tokens.authorize(event, "Customer")
    partition = f"USER#{claims['sub']}"
    items = table.batch_get([(partition, "PROFILE"), (partition, f"MEMBERSHIP#{claims['OrganizationId']}")])
    user = next((item for item in items if item["SK"]["S"] == "PROFILE"), None)
    if len(items) != 2 or user is None:
        raise Problem(404, "Not Found")
    body = {
        "FirstName": user["FirstName"]["S"],
        "LastName": user["LastName"]["S"],
        "Email": user.get("PreferredEmail", user["Email"])["S"],
        "PhoneNumber": user.get("PhoneNumber", {}).get("S"),
    }
    return body, {}


# Opens the connection while the start still has the whole processor.
try:
    tokens.read_keys()
except Exception:
    print('{"level": "WARN", "message": "the table could not be read at start-up"}')
