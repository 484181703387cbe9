//! The customer's document and the decisions, piece by piece, with the tests of each; and the
//! document's examples as requests and answers.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use hyper::Method;
use serde_json::Value;

use crate::harness::{Call, World};

/// The customer's document, word for word.
const DOCUMENT: &str = include_str!("document.txt");
/// What was decided where the document is silent.
const DECISIONS: &str = include_str!("decisions.md");

/// What announces the lines that follow and says nothing itself.
const HEADINGS: [&str; 10] = [
    "Skip to main content",
    "Authentication",
    "Request body",
    "Query parameters",
    "Example request",
    "Response",
    "Response fields",
    "Example response",
    "Error responses",
    "StatusDescription",
];
/// The section before the first endpoint's.
const INTRODUCTION: &str = "introduction";
const EXAMPLE_REQUEST: &str = "example request";
const EXAMPLE_RESPONSE: &str = "example response";
/// How the page hides the e-mail addresses of its examples.
const HIDDEN_EMAIL: &str = "[email\u{a0}protected]";
const HOST: &str = "https://api.achievemomentum.com";

/// A piece of the document that promises something: a sentence, a field, an error row, an example.
#[derive(Debug)]
struct Piece {
    section: &'static str,
    text: String,
    /// The lines of an example.
    block: Vec<&'static str>,
}

fn pieces() -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut section = INTRODUCTION;
    let mut lines = DOCUMENT.lines().peekable();
    while let Some(line) = lines.next() {
        if line.is_empty() || HEADINGS.contains(&line) {
            continue;
        }
        if line.starts_with("GET /") || line.starts_with("POST /") {
            section = line;
            continue;
        }
        let sample = match line {
            "cURL" => Some(EXAMPLE_REQUEST),
            "[]" => None,
            _ if line.starts_with(['{', '[']) => Some(EXAMPLE_RESPONSE),
            _ => None,
        };
        if let Some(text) = sample {
            let mut block = vec![line];
            while let Some(line) = lines.next_if(|line| !line.is_empty()) {
                block.push(line);
            }
            pieces.push(Piece { section, text: text.to_owned(), block });
            continue;
        }
        let is_type = |line: &&str| ["string", "array", "boolean"].contains(line);
        let texts = if lines.peek().is_some_and(is_type) {
            let mut field = line.to_owned();
            while let Some(line) = lines.next_if(|line| is_type(line) || *line == "required") {
                field = format!("{field} {line}");
            }
            vec![field]
        } else {
            let line = line.replace(".Example:", ".\nExample:").replace(". ", ".\n");
            line.lines().map(ToOwned::to_owned).collect()
        };
        pieces.extend(texts.into_iter().map(|text| Piece { section, text, block: Vec::new() }));
    }
    pieces
}

/// The matters of the decisions' table.
fn matters() -> Vec<String> {
    let rows = DECISIONS.lines().filter(|line| line.starts_with('|')).skip(2);
    rows.map(|row| row.split(" | ").next().unwrap()[2..].to_owned()).collect()
}

fn example(section: &str, which: &str) -> String {
    let found = pieces().into_iter().find(|piece| piece.section == section && piece.text == which);
    found.unwrap().block.join("\n")
}

/// Whether the document has a section of an endpoint.
pub fn has(section: &str) -> bool {
    pieces().iter().any(|piece| piece.section == section)
}

/// The `curl` line that a section of the document shows, with a token and an e-mail address put in.
pub fn example_request(world: &World, section: &str, bearer: &str, email: &str) -> Call {
    let curl = example(section, EXAMPLE_REQUEST).replace(HIDDEN_EMAIL, email);
    let (_, path) = curl.split_once(HOST).unwrap();
    let path = path.split(['"', ' ', '\n']).next().unwrap();
    let mut call = match example_request_body(section, email) {
        Some(body) => world.post(path, body),
        None => world.get(path),
    };
    let is_post = curl.contains("-X POST");
    assert_eq!(call.method() == Method::POST, is_post);
    for header in curl.split("-H \"").skip(1) {
        let (name, value) = header.split_once('"').unwrap().0.split_once(": ").unwrap();
        let value = match value.strip_prefix("Bearer {") {
            Some(_) => bearer,
            None => value,
        };
        call = call.header(&name.to_ascii_lowercase(), value);
    }
    call
}

/// The body that such a line sends.
pub fn example_request_body(section: &str, email: &str) -> Option<String> {
    let curl = example(section, EXAMPLE_REQUEST).replace(HIDDEN_EMAIL, email);
    let (_, body) = curl.split_once("-d '")?;
    Some(body.rsplit_once('\'').unwrap().0.to_owned())
}

/// The answer that a section of the document shows, with an e-mail address put in.
pub fn example_response(section: &str, email: &str) -> Value {
    let body = example(section, EXAMPLE_RESPONSE).replace(HIDDEN_EMAIL, email);
    serde_json::from_str(&body).unwrap()
}

/// A piece of text and the tests of what it promises.
type Row = (&'static str, &'static [&'static str]);

/// The document: section, piece by piece, tests.
const SECTIONS: &[(&str, &[Row])] = &[
    (
        INTRODUCTION,
        &[
            (
                "The Users endpoints allow you to view and manage user accounts within your organization.",
                &[
                    "create_user::the_new_user_is_a_member_of_the_admins_organization_alone",
                    "get_profile::is_404_without_a_user_record_or_for_another_organization",
                    "list_customer_associations::an_unknown_user_answers_like_one_that_does_not_exist",
                ],
            ),
            (
                "You can create new users, look up profile information, check whether an account exists, and retrieve the customer associations and organization memberships tied to a specific user.",
                &["authorization::every_endpoint_answers_each_kind_of_caller_as_recorded"],
            ),
            (
                "Most endpoints in this section require an Admin policy.",
                &["authorization::every_endpoint_answers_each_kind_of_caller_as_recorded"],
            ),
            (
                "The sole exception is GET /api/users/profile, which requires a Customer-scoped token, and GET /api/users/exists, which is public and requires no authentication at all.",
                &["authorization::every_endpoint_answers_each_kind_of_caller_as_recorded"],
            ),
        ],
    ),
    (
        "POST /api/users",
        &[
            (
                "Create a new user account and add them to your organization.",
                &[
                    "create_user::the_documents_example_creates_the_user",
                    "create_user::the_new_user_is_a_member_of_the_admins_organization_alone",
                ],
            ),
            (
                "If the email address is already registered on the platform, the existing account is reused and only the organization membership is added.",
                &[
                    "create_user::a_registered_account_gains_only_the_membership",
                    "create_user::the_documents_example_reuses_a_registered_account",
                ],
            ),
            (
                "Requires Admin role.",
                &["authorization::every_endpoint_answers_each_kind_of_caller_as_recorded"],
            ),
            (
                "Calls from tokens without the Admin policy return 403 Forbidden.",
                &["create_user::is_403_without_the_admin_role_and_nothing_is_written"],
            ),
            (
                "Authorization: Bearer {your_admin_access_token}",
                &["create_user::the_documents_example_creates_the_user"],
            ),
            (
                "FirstName string required",
                &[
                    "create_user::a_required_field_that_is_missing_is_named",
                    "create_user::a_field_of_another_type_than_string_is_invalid",
                ],
            ),
            (
                "The user’s first name.",
                &["create_user::names_are_trimmed_and_have_1_to_100_visible_characters"],
            ),
            ("Example: \"Jane\"", &["create_user::the_documents_example_creates_the_user"]),
            (
                "LastName string required",
                &[
                    "create_user::a_required_field_that_is_missing_is_named",
                    "create_user::a_field_of_another_type_than_string_is_invalid",
                ],
            ),
            (
                "The user’s last name.",
                &["create_user::names_are_trimmed_and_have_1_to_100_visible_characters"],
            ),
            ("Example: \"Smith\"", &["create_user::the_documents_example_creates_the_user"]),
            (
                "Email string required",
                &[
                    "create_user::a_required_field_that_is_missing_is_named",
                    "create_user::a_field_of_another_type_than_string_is_invalid",
                ],
            ),
            (
                "The user’s email address.",
                &["create_user::an_email_that_is_malformed_or_over_254_octets_is_invalid"],
            ),
            (
                "Used as the login identifier.",
                &[
                    "create_user::the_email_is_from_then_on_the_one_of_an_account",
                    "create_user::a_registered_account_has_its_login_email_and_nulls",
                ],
            ),
            (
                "Must be unique across the platform.",
                &[
                    "create_user::fifty_creations_of_one_email_at_once_make_one_account",
                    "create_user::spellings_of_one_address_are_one_account",
                ],
            ),
            ("Example: \"[email\u{a0}protected]\"", &["create_user::the_documents_example_creates_the_user"]),
            (
                "Password string",
                &[
                    "create_user::password_and_phone_number_are_optional",
                    "create_user::a_field_of_another_type_than_string_is_invalid",
                ],
            ),
            (
                "An initial password for the user.",
                &[
                    "create_user::a_password_is_stored_only_as_argon2id_in_its_own_partition",
                    "create_user::a_password_has_8_to_128_characters_and_is_not_a_common_one",
                ],
            ),
            (
                "Ignored if the email is already registered on the platform — in that case the user keeps their current credentials.",
                &[
                    "create_user::a_registered_account_gains_only_the_membership",
                    "create_user::a_second_creation_adds_no_password",
                ],
            ),
            (
                "Example: \"SecurePass123!\"",
                &[
                    "create_user::the_documents_example_creates_the_user",
                    "create_user::a_password_is_stored_only_as_argon2id_in_its_own_partition",
                ],
            ),
            (
                "PhoneNumber string",
                &[
                    "create_user::password_and_phone_number_are_optional",
                    "create_user::a_field_of_another_type_than_string_is_invalid",
                ],
            ),
            ("The user’s phone number.", &["create_user::a_phone_number_is_kept_as_usually_written"]),
            ("Example: \"561-555-1212\"", &["create_user::the_documents_example_creates_the_user"]),
            (EXAMPLE_REQUEST, &["create_user::the_documents_example_creates_the_user"]),
            ("FirstName string", &["create_user::the_documents_example_creates_the_user"]),
            (
                "The created user’s first name.",
                &[
                    "create_user::the_documents_example_creates_the_user",
                    "create_user::names_are_trimmed_and_have_1_to_100_visible_characters",
                ],
            ),
            ("LastName string", &["create_user::the_documents_example_creates_the_user"]),
            (
                "The created user’s last name.",
                &[
                    "create_user::the_documents_example_creates_the_user",
                    "create_user::names_are_trimmed_and_have_1_to_100_visible_characters",
                ],
            ),
            ("Email string", &["create_user::the_documents_example_creates_the_user"]),
            (
                "The created user’s email address.",
                &[
                    "create_user::the_documents_example_creates_the_user",
                    "create_user::an_email_is_stored_as_given_and_in_normalised_form",
                ],
            ),
            (
                "PhoneNumber string",
                &[
                    "create_user::the_documents_example_creates_the_user",
                    "create_user::password_and_phone_number_are_optional",
                ],
            ),
            (
                "The created user’s phone number.",
                &[
                    "create_user::the_documents_example_creates_the_user",
                    "create_user::a_phone_number_is_kept_as_usually_written",
                ],
            ),
            (EXAMPLE_RESPONSE, &["create_user::the_documents_example_creates_the_user"]),
            (
                "400 Bad RequestA required field is missing or invalid.",
                &[
                    "create_user::a_required_field_that_is_missing_is_named",
                    "create_user::every_field_that_is_invalid_is_named_in_one_400",
                ],
            ),
            (
                "403 ForbiddenYour token does not carry the Admin role.",
                &["create_user::is_403_without_the_admin_role_and_nothing_is_written"],
            ),
            (
                "500 Internal Server ErrorAn unexpected error occurred.",
                &["create_user::an_unexpected_error_is_a_500_that_tells_nothing_of_its_cause"],
            ),
        ],
    ),
    (
        "GET /api/users/profile",
        &[
            (
                "Returns the profile of the currently authenticated user.",
                &["get_profile::returns_the_profile_of_the_authenticated_user"],
            ),
            (
                "The user ID and organization ID are read from the JWT claims — you do not pass them as parameters.",
                &[
                    "get_profile::user_and_organization_come_from_the_claims_not_the_query",
                    "get_profile::is_401_where_the_token_lacks_a_claim_it_needs",
                ],
            ),
            (
                "Requires Customer role.",
                &["authorization::every_endpoint_answers_each_kind_of_caller_as_recorded"],
            ),
            (
                "Calls from tokens without a Customer policy return 403 Forbidden.",
                &["get_profile::is_403_for_an_admin_without_the_customer_role"],
            ),
            (
                "Authorization: Bearer {your_access_token}",
                &["get_profile::the_documents_example_gets_the_documents_answer"],
            ),
            (EXAMPLE_REQUEST, &["get_profile::the_documents_example_gets_the_documents_answer"]),
            ("FirstName string", &["get_profile::the_documents_example_gets_the_documents_answer"]),
            (
                "The authenticated user’s first name.",
                &["get_profile::the_documents_example_gets_the_documents_answer"],
            ),
            ("LastName string", &["get_profile::the_documents_example_gets_the_documents_answer"]),
            (
                "The authenticated user’s last name.",
                &["get_profile::the_documents_example_gets_the_documents_answer"],
            ),
            ("Email string", &["get_profile::the_documents_example_gets_the_documents_answer"]),
            (
                "The authenticated user’s preferred email address.",
                &["get_profile::prefers_the_preferred_email_and_answers_null_for_no_phone"],
            ),
            ("PhoneNumber string", &["get_profile::the_documents_example_gets_the_documents_answer"]),
            (
                "The authenticated user’s phone number.",
                &[
                    "get_profile::the_documents_example_gets_the_documents_answer",
                    "get_profile::prefers_the_preferred_email_and_answers_null_for_no_phone",
                ],
            ),
            (EXAMPLE_RESPONSE, &["get_profile::the_documents_example_gets_the_documents_answer"]),
            (
                "404 Not FoundNo user record exists for the ID in the token.",
                &["get_profile::is_404_without_a_user_record_or_for_another_organization"],
            ),
            ("400 Bad RequestThe request is malformed.", &["get_profile::is_400_for_a_malformed_request"]),
            (
                "401 UnauthorizedThe bearer token is missing or expired.",
                &["get_profile::is_401_where_the_token_is_missing_or_expired"],
            ),
        ],
    ),
    (
        "GET /api/users/exists",
        &[
            (
                "Check whether a user account exists for a given email address.",
                &[
                    "check_user_exists::the_documents_example_gets_the_documents_answer",
                    "check_user_exists::says_false_for_an_address_without_an_account",
                ],
            ),
            (
                "This endpoint is public — it does not require authentication.",
                &[
                    "check_user_exists::is_public_whatever_the_authorization_header_says",
                    "authorization::every_endpoint_answers_each_kind_of_caller_as_recorded",
                ],
            ),
            (
                "This endpoint is rate limited to 10 requests per minute per IP address.",
                &[
                    "check_user_exists::ten_look_ups_a_minute_are_admitted_and_counted_down",
                    "check_user_exists::each_ipv4_address_and_each_ipv6_64_prefix_has_its_own_ten",
                ],
            ),
            ("Email string required", &["check_user_exists::is_400_where_the_email_is_missing"]),
            (
                "The email address to look up.",
                &["check_user_exists::finds_an_account_of_any_organization_by_any_spelling"],
            ),
            (
                "Example: [email\u{a0}protected]",
                &["check_user_exists::the_documents_example_gets_the_documents_answer"],
            ),
            (EXAMPLE_REQUEST, &["check_user_exists::the_documents_example_gets_the_documents_answer"]),
            ("UserExists boolean", &["check_user_exists::the_documents_example_gets_the_documents_answer"]),
            (
                "true if an account with the given email address exists on the platform; false otherwise.",
                &[
                    "check_user_exists::the_documents_example_gets_the_documents_answer",
                    "check_user_exists::says_false_for_an_address_without_an_account",
                    "check_user_exists::finds_an_account_of_any_organization_by_any_spelling",
                ],
            ),
            (EXAMPLE_RESPONSE, &["check_user_exists::the_documents_example_gets_the_documents_answer"]),
            (
                "400 Bad RequestThe Email parameter is missing or not a valid email format.",
                &[
                    "check_user_exists::is_400_where_the_email_is_missing",
                    "check_user_exists::is_400_where_the_email_is_not_of_a_valid_format",
                ],
            ),
        ],
    ),
    (
        "GET /api/users/organizations",
        &[
            (
                "Returns the list of organizations the currently authenticated user belongs to.",
                &[
                    "list_organizations::lists_every_organization_of_the_user_and_no_other",
                    "list_organizations::a_thousand_organizations_come_back_once_each_in_order",
                ],
            ),
            (
                "The user ID and email are read from the JWT claims — you do not pass them as parameters.",
                &[
                    "list_organizations::the_user_is_the_one_of_the_claims_whatever_the_query_says",
                    "list_organizations::the_user_id_decides_and_the_email_only_without_one",
                ],
            ),
            (
                "Requires Admin role.",
                &["authorization::every_endpoint_answers_each_kind_of_caller_as_recorded"],
            ),
            (
                "Calls from tokens without the Admin policy return 403 Forbidden.",
                &["list_organizations::is_403_without_the_admin_role"],
            ),
            (
                "Authorization: Bearer {your_admin_access_token}",
                &["list_organizations::the_documents_example_gets_the_documents_answer"],
            ),
            (EXAMPLE_REQUEST, &["list_organizations::the_documents_example_gets_the_documents_answer"]),
            ("Organizations array", &["list_organizations::the_documents_example_gets_the_documents_answer"]),
            (
                "An array of organization objects the user belongs to.",
                &["list_organizations::lists_every_organization_of_the_user_and_no_other"],
            ),
            (EXAMPLE_RESPONSE, &["list_organizations::the_documents_example_gets_the_documents_answer"]),
            (
                "400 Bad RequestThe user cannot be found based on your token’s identity claims.",
                &["list_organizations::is_400_where_neither_user_id_nor_email_claim_finds_a_user"],
            ),
            (
                "403 ForbiddenYour token does not carry the Admin role.",
                &["list_organizations::is_403_without_the_admin_role"],
            ),
        ],
    ),
    (
        "GET /api/users/customer-association",
        &[
            (
                "Retrieve the customer record linked to a specific user within your organization.",
                &[
                    "get_customer_association::the_documents_example_gets_the_documents_answer",
                    "get_customer_association::a_new_association_shows_at_once_and_replaces_the_old",
                ],
            ),
            (
                "The organization is derived from your JWT claims.",
                &["get_customer_association::the_organization_comes_from_the_claims_not_the_query"],
            ),
            (
                "Use this to find which customer account a user is associated with.",
                &[
                    "get_customer_association::the_documents_example_gets_the_documents_answer",
                    "get_customer_association::a_user_who_is_no_member_may_have_an_association",
                ],
            ),
            (
                "Requires Admin role.",
                &["authorization::every_endpoint_answers_each_kind_of_caller_as_recorded"],
            ),
            (
                "Authorization: Bearer {your_admin_access_token}",
                &["get_customer_association::the_documents_example_gets_the_documents_answer"],
            ),
            ("UserId string required", &["get_customer_association::is_400_where_the_user_id_is_missing"]),
            (
                "The user ID of the user to look up.",
                &["get_customer_association::the_documents_example_gets_the_documents_answer"],
            ),
            (
                "Example: \"kp_abc123def456\"",
                &["get_customer_association::the_documents_example_gets_the_documents_answer"],
            ),
            (EXAMPLE_REQUEST, &["get_customer_association::the_documents_example_gets_the_documents_answer"]),
            ("UserId string", &["get_customer_association::the_documents_example_gets_the_documents_answer"]),
            ("The user ID.", &["get_customer_association::the_documents_example_gets_the_documents_answer"]),
            (
                "CustomerNumber string",
                &["get_customer_association::the_documents_example_gets_the_documents_answer"],
            ),
            (
                "The customer account number linked to this user.",
                &[
                    "get_customer_association::the_documents_example_gets_the_documents_answer",
                    "get_customer_association::a_new_association_shows_at_once_and_replaces_the_old",
                ],
            ),
            (
                "OrganizationId string",
                &["get_customer_association::the_documents_example_gets_the_documents_answer"],
            ),
            (
                "The organization this association belongs to.",
                &[
                    "get_customer_association::the_documents_example_gets_the_documents_answer",
                    "get_customer_association::the_organization_comes_from_the_claims_not_the_query",
                ],
            ),
            (
                EXAMPLE_RESPONSE,
                &["get_customer_association::the_documents_example_gets_the_documents_answer"],
            ),
            (
                "404 Not FoundNo customer association exists for this user in your organization.",
                &["get_customer_association::is_404_where_the_organization_has_no_association"],
            ),
            (
                "400 Bad RequestUserId is missing.",
                &[
                    "get_customer_association::is_400_where_the_user_id_is_missing",
                    "get_customer_association::is_400_where_the_user_id_is_no_identifier_or_given_twice",
                ],
            ),
            (
                "403 ForbiddenYour token does not carry the Admin role.",
                &["get_customer_association::is_403_without_the_admin_role"],
            ),
        ],
    ),
    (
        "GET /api/users/customer-associations",
        &[
            (
                "Returns all customer associations for a given user across all organizations.",
                &[
                    "list_customer_associations::lists_the_associations_sorted_by_organization_id",
                    "list_customer_associations::a_thousand_associations_come_back_once_each_in_order",
                ],
            ),
            (
                "Useful when a single user account is linked to multiple customer records.",
                &["list_customer_associations::the_documents_example_gets_the_documents_answer"],
            ),
            (
                "Requires Admin role.",
                &["authorization::every_endpoint_answers_each_kind_of_caller_as_recorded"],
            ),
            (
                "Authorization: Bearer {your_admin_access_token}",
                &["list_customer_associations::the_documents_example_gets_the_documents_answer"],
            ),
            (
                "UserId string required",
                &["list_customer_associations::is_400_where_the_user_id_is_missing_or_invalid"],
            ),
            (
                "The user ID to retrieve associations for.",
                &["list_customer_associations::the_documents_example_gets_the_documents_answer"],
            ),
            (
                "Example: \"kp_abc123def456\"",
                &["list_customer_associations::the_documents_example_gets_the_documents_answer"],
            ),
            (
                EXAMPLE_REQUEST,
                &["list_customer_associations::the_documents_example_gets_the_documents_answer"],
            ),
            (
                "Returns an array of customer association objects.",
                &["list_customer_associations::the_documents_example_gets_the_documents_answer"],
            ),
            (
                "[] array",
                &[
                    "list_customer_associations::the_documents_example_gets_the_documents_answer",
                    "list_customer_associations::a_user_without_associations_has_an_empty_array",
                ],
            ),
            (
                "A flat array of UserCustomer association objects.",
                &["list_customer_associations::the_documents_example_gets_the_documents_answer"],
            ),
            (
                EXAMPLE_RESPONSE,
                &["list_customer_associations::the_documents_example_gets_the_documents_answer"],
            ),
            (
                "400 Bad RequestUserId is missing or invalid.",
                &["list_customer_associations::is_400_where_the_user_id_is_missing_or_invalid"],
            ),
            (
                "403 ForbiddenYour token does not carry the Admin role.",
                &["list_customer_associations::is_403_without_the_admin_role"],
            ),
        ],
    ),
];

/// The decisions: matter, tests.
const MATTERS: &[Row] = &[
    (
        "Missing, malformed, expired, wrongly signed token on any secured endpoint",
        &[
            "authorization::every_endpoint_answers_each_kind_of_caller_as_recorded",
            "authorization::the_problems_of_a_refused_token_tell_nothing_of_why",
            "attacks::an_authorization_header_is_one_of_a_bearer_token",
            "attacks::a_token_counts_from_60_s_before_nbf_to_60_s_after_exp",
        ],
    ),
    (
        "Valid token without the role",
        &[
            "authorization::every_endpoint_answers_each_kind_of_caller_as_recorded",
            "attacks::a_role_is_exactly_itself",
            "get_profile::is_403_for_an_admin_without_the_customer_role",
        ],
    ),
    (
        "Token without the claim an endpoint needs (user id, organization id)",
        &["attacks::a_token_without_a_claim_that_the_endpoint_needs_is_refused"],
    ),
    ("`POST /api/users`, new account", &["create_user::the_documents_example_creates_the_user"]),
    (
        "`POST /api/users`, e-mail already registered",
        &[
            "create_user::a_registered_account_gains_only_the_membership",
            "create_user::the_documents_example_reuses_a_registered_account",
            "create_user::a_second_creation_adds_no_password",
        ],
    ),
    (
        "The same POST sent twice, or by many callers at once",
        &[
            "create_user::the_same_post_twice_is_201_then_200_and_changes_nothing",
            "create_user::fifty_creations_of_one_email_at_once_make_one_account",
        ],
    ),
    (
        "The admin's organization does not exist in the table",
        &["create_user::a_missing_organization_is_a_400_and_nothing_is_written"],
    ),
    (
        "Optional fields that were never given",
        &[
            "create_user::password_and_phone_number_are_optional",
            "get_profile::prefers_the_preferred_email_and_answers_null_for_no_phone",
        ],
    ),
    (
        "E-mail identity",
        &[
            "create_user::spellings_of_one_address_are_one_account",
            "create_user::addresses_that_differ_in_dots_or_plus_tags_are_two_accounts",
            "create_user::an_email_is_stored_as_given_and_in_normalised_form",
            "check_user_exists::finds_an_account_of_any_organization_by_any_spelling",
        ],
    ),
    (
        "Password",
        &[
            "create_user::password_and_phone_number_are_optional",
            "create_user::a_password_has_8_to_128_characters_and_is_not_a_common_one",
            "create_user::a_password_is_stored_only_as_argon2id_in_its_own_partition",
            "create_user::no_answer_ever_holds_the_password_or_its_hash",
            "secrets::the_table_holds_a_password_only_as_its_hash",
            "binaries::every_function_starts_and_answers_an_event",
        ],
    ),
    (
        "Profile e-mail",
        &[
            "get_profile::prefers_the_preferred_email_and_answers_null_for_no_phone",
            "get_profile::the_documents_example_gets_the_documents_answer",
        ],
    ),
    (
        "Profile of a user who is not a member of the token's organization",
        &[
            "get_profile::is_404_without_a_user_record_or_for_another_organization",
            "get_profile::an_association_without_a_membership_makes_no_profile",
        ],
    ),
    (
        "`organizations`: who is meant",
        &[
            "list_organizations::the_user_id_decides_and_the_email_only_without_one",
            "list_organizations::is_400_where_neither_user_id_nor_email_claim_finds_a_user",
            "authorization::an_address_counts_by_the_email_verified_beside_it",
        ],
    ),
    (
        "`organizations`, `customer-associations` order",
        &[
            "list_organizations::the_organizations_come_by_organization_id",
            "list_customer_associations::lists_the_associations_sorted_by_organization_id",
            "list_organizations::a_thousand_organizations_come_back_once_each_in_order",
            "list_customer_associations::a_thousand_associations_come_back_once_each_in_order",
        ],
    ),
    (
        "Well-formed `UserId` without associations",
        &[
            "get_customer_association::is_404_where_the_organization_has_no_association",
            "list_customer_associations::a_user_without_associations_has_an_empty_array",
            "list_customer_associations::an_unknown_user_answers_like_one_that_does_not_exist",
        ],
    ),
    (
        "Rate limit of `exists`",
        &[
            "check_user_exists::ten_look_ups_a_minute_are_admitted_and_counted_down",
            "check_user_exists::the_eleventh_look_up_is_refused_at_59_s_and_admitted_at_60_s",
            "check_user_exists::the_window_slides_and_is_no_calendar_minute",
            "check_user_exists::every_request_counts_valid_or_not",
            "check_user_exists::a_refused_look_up_does_not_extend_the_wait",
            "check_user_exists::of_sixty_look_ups_at_once_exactly_ten_are_admitted",
            "check_user_exists::instances_of_the_function_count_together",
            "check_user_exists::each_ipv4_address_and_each_ipv6_64_prefix_has_its_own_ten",
            "check_user_exists::no_header_that_the_caller_writes_changes_who_is_counted",
            "front::two_viewers_behind_one_edge_have_ten_each",
            "front::one_viewer_behind_two_edges_has_ten",
            "front::forged_headers_change_nobodys_count",
            "front::what_comes_past_the_front_reaches_no_handler",
            "requests::each_answer_of_the_limited_endpoint_says_what_is_left",
        ],
    ),
    (
        "The table cannot be reached or throttles past the retries",
        &[
            "requests::an_unreachable_table_is_a_503_with_retry_after",
            "requests::a_throttling_table_is_a_503_with_retry_after",
            "requests::a_silent_table_is_a_503_before_the_deadline",
        ],
    ),
    (
        "Body that is not JSON, not an object, over 16 KiB, or of another content type",
        &[
            "requests::a_body_that_is_not_json_is_a_400",
            "requests::a_body_that_is_not_an_object_is_a_400",
            "requests::a_body_over_16_kib_is_a_413_and_one_of_16_kib_is_read",
            "requests::a_body_of_another_content_type_is_a_415",
            "requests::a_bad_request_writes_nothing",
        ],
    ),
    (
        "Names and addresses",
        &[
            "create_user::names_are_trimmed_and_have_1_to_100_visible_characters",
            "create_user::an_email_that_is_malformed_or_over_254_octets_is_invalid",
        ],
    ),
    ("Phone number", &["create_user::a_phone_number_is_kept_as_usually_written"]),
    (
        "A query parameter that the endpoint does not read",
        &["requests::a_parameter_that_nobody_reads_is_ignored_however_it_is_encoded"],
    ),
    (
        "401, 404, 429",
        &[
            "authorization::the_problems_of_a_refused_token_tell_nothing_of_why",
            "get_profile::is_404_without_a_user_record_or_for_another_organization",
            "check_user_exists::ten_look_ups_a_minute_are_admitted_and_counted_down",
        ],
    ),
    (
        "A write that reaches an account through its address",
        &[
            "address_changes::a_creation_adds_the_account_that_has_the_address_then",
            "address_changes::an_address_that_never_stays_is_a_503_and_nobody_is_added",
            "address_changes::an_import_adds_to_the_account_that_has_the_address_then",
            "address_changes::commands_write_to_the_account_that_has_the_address_then",
        ],
    ),
    ("Unknown JSON fields", &["requests::unknown_members_of_a_body_are_ignored"]),
    ("Any answer", &["requests::every_answer_has_the_common_headers_and_its_request_id"]),
    (
        "What may be logged",
        &[
            "binaries::every_function_starts_and_answers_an_event",
            "secrets::answers_and_logs_hold_only_what_the_document_gives",
            "secrets::what_is_wrong_with_a_body_is_said_without_the_body",
        ],
    ),
];

/// The names of the tests that run, such as `module::name`.
fn tests() -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("acceptance");
    let mut tests = BTreeSet::new();
    for part in modules(&fs::read_to_string(folder.join("main.rs")).unwrap()) {
        let folder = folder.join(part);
        for module in modules(&fs::read_to_string(folder.join("mod.rs")).unwrap()) {
            let source = fs::read_to_string(folder.join(format!("{module}.rs"))).unwrap();
            tests.extend(tests_in(&source).map(|test| format!("{module}::{test}")));
        }
    }
    tests
}

/// The modules that a source declares.
fn modules(source: &str) -> impl Iterator<Item = &str> {
    source.lines().filter_map(|line| line.trim_start_matches("pub ").strip_prefix("mod ")?.strip_suffix(';'))
}

/// The functions whose attributes make them tests that nobody ignores.
fn tests_in(source: &str) -> impl Iterator<Item = &str> {
    let mut attributes = Vec::new();
    source.lines().filter_map(move |line| {
        if line.starts_with("#[") {
            attributes.push(line);
            return None;
        }
        let is_test =
            attributes.iter().any(|line| line.starts_with("#[test]") || line.starts_with("#[tokio::test"));
        let is_ignored = attributes.iter().any(|line| line.starts_with("#[ignore"));
        attributes.clear();
        let (name, _) = line.trim_start_matches("async ").strip_prefix("fn ")?.split_once('(')?;
        (is_test && !is_ignored).then_some(name)
    })
}

/// What is wrong with a table of texts and their tests: each text in its order, none else, and for each
/// a test that exists.
fn faults(texts: &[String], rows: &[(String, &[&str])], existing: &BTreeSet<String>) -> Vec<String> {
    let mut faults = Vec::new();
    let known: Vec<_> = rows.iter().map(|(text, _)| text).collect();
    for text in texts.iter().filter(|text| !known.contains(text)) {
        faults.push(format!("no row: {text}"));
    }
    for text in known.iter().filter(|text| !texts.contains(text)) {
        faults.push(format!("not in the text: {text}"));
    }
    if faults.is_empty() && !texts.iter().eq(known) {
        faults.push("not in the text's order, or not as often".to_owned());
    }
    for (text, named) in rows {
        if named.is_empty() {
            faults.push(format!("no test: {text}"));
        }
        for test in named.iter().filter(|test| !existing.contains(**test)) {
            faults.push(format!("there is no test {test}: {text}"));
        }
    }
    faults
}

fn document_texts() -> Vec<String> {
    pieces().iter().map(|piece| format!("{}: {}", piece.section, piece.text)).collect()
}

fn document_rows() -> Vec<(String, &'static [&'static str])> {
    let rows = SECTIONS.iter().flat_map(|(section, rows)| rows.iter().map(move |row| (section, row)));
    rows.map(|(section, (text, tests))| (format!("{section}: {text}"), *tests)).collect()
}

fn decision_rows() -> Vec<(String, &'static [&'static str])> {
    MATTERS.iter().map(|(matter, tests)| ((*matter).to_owned(), *tests)).collect()
}

#[test]
fn every_piece_of_the_document_has_a_test() {
    let texts = document_texts();
    assert_eq!(texts.len(), 113);
    assert_eq!(faults(&texts, &document_rows(), &tests()), [""; 0]);
}

#[test]
fn every_decision_has_a_test() {
    let matters = matters();
    assert_eq!(matters.len(), 26);
    assert_eq!(faults(&matters, &decision_rows(), &tests()), [""; 0]);
}

/// No word of the document is lost between its lines and its pieces.
#[test]
fn the_pieces_are_the_whole_document() {
    let sections: BTreeSet<_> = pieces().iter().map(|piece| piece.section).collect();
    let of_lines: String = DOCUMENT
        .lines()
        .filter(|line| !HEADINGS.contains(line) && !sections.contains(line))
        .flat_map(|line| line.chars().filter(|c| !c.is_whitespace()))
        .collect();
    let of_pieces: String = pieces()
        .iter()
        .flat_map(|piece| {
            if piece.block.is_empty() {
                vec![piece.text.clone()]
            } else {
                piece.block.iter().map(ToString::to_string).collect()
            }
        })
        .flat_map(|text| text.chars().filter(|c| !c.is_whitespace()).collect::<Vec<_>>())
        .collect();
    assert_eq!(of_lines, of_pieces);
    assert_eq!(sections.len(), 7);
}

#[test]
fn a_row_or_a_test_that_is_taken_away_is_missed() {
    let (texts, rows, existing) = (document_texts(), document_rows(), tests());
    for taken in 0..rows.len() {
        let mut fewer = rows.clone();
        fewer.remove(taken);
        assert!(!faults(&texts, &fewer, &existing).is_empty(), "{:?}", rows[taken]);
        let mut fewer = texts.clone();
        fewer.remove(taken);
        assert!(!faults(&fewer, &rows, &existing).is_empty(), "{:?}", texts[taken]);
        for test in rows[taken].1 {
            let mut fewer = existing.clone();
            fewer.remove(*test);
            assert!(!faults(&texts, &rows, &fewer).is_empty(), "{test}");
        }
    }
    let source =
        "#[test]\nfn one() {}\nfn two() {}\n#[tokio::test(x)]\n#[ignore]\nasync fn three() {}\n    #[test]\n";
    assert_eq!(tests_in(source).collect::<Vec<_>>(), ["one"]);
}
