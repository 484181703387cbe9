"""The six operations and two errors, by the generated types."""

from http import HTTPStatus
from os import environ

from users_client import AuthenticatedClient, Client
from users_client.api.users import (
    check_user_exists,
    create_user,
    get_customer_association,
    get_profile,
    list_customer_associations,
    list_organizations,
)
from users_client.models import (
    CustomerAssociation,
    Existence,
    NewUser,
    OrganizationList,
    Problem,
    User,
    ValidationProblem,
)

API_URL = environ.get("API_URL", "http://127.0.0.1:3000")
JANE = "kp_abc123def456"
admin = AuthenticatedClient(base_url=API_URL, token=environ["ADMIN_TOKEN"])
customer = AuthenticatedClient(base_url=API_URL, token=environ["CUSTOMER_TOKEN"])
anyone = Client(base_url=API_URL)

new_user = NewUser(first_name="Py", last_name="Thon", email="python@example.com")
created = create_user.sync_detailed(client=admin, body=new_user)
assert created.status_code == HTTPStatus.CREATED
assert isinstance(created.parsed, User)
# A promised member, and one that may be null.
phone_number: str | None = created.parsed.phone_number
assert phone_number is None

new_user.first_name = "Other"
again = create_user.sync_detailed(client=admin, body=new_user)
assert again.status_code == HTTPStatus.OK
assert again.parsed == created.parsed

profile = get_profile.sync(client=customer)
assert isinstance(profile, User)
assert profile.email == "jane@example.com"

existence = check_user_exists.sync(client=anyone, email=new_user.email)
assert isinstance(existence, Existence)
assert existence.user_exists

organizations = list_organizations.sync(client=admin)
assert isinstance(organizations, OrganizationList)
assert "acme-corp" in [organization.slug for organization in organizations.organizations]

association = get_customer_association.sync(client=admin, user_id=JANE)
assert isinstance(association, CustomerAssociation)
assert association.customer_number == "C-10042"
associations = list_customer_associations.sync(client=admin, user_id=JANE)
assert isinstance(associations, list)
assert len(associations) == 2

new_user.email = "nonsense"
invalid = create_user.sync_detailed(client=admin, body=new_user)
assert invalid.status_code == HTTPStatus.BAD_REQUEST
assert isinstance(invalid.parsed, ValidationProblem)
messages: list[str] = invalid.parsed.errors["Email"]
assert len(messages) == 1

forbidden = get_profile.sync_detailed(client=admin)
assert forbidden.status_code == HTTPStatus.FORBIDDEN
assert isinstance(forbidden.parsed, Problem)
assert forbidden.parsed.title == "Forbidden"
assert forbidden.parsed.trace_id == forbidden.headers["X-Request-Id"]

print("Python: six operations and two problems, as typed")
