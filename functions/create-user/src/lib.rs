//! `POST /api/users`: creates a user account and adds it to the caller's organization. If the e-mail
//! address is already registered on the platform, the existing account is reused and only the
//! organization membership is added.
//!
//! [`shared::table::Table::registration`] says which of the two it will be, and
//! [`shared::table::Table::create_account`], one transaction, whether it was: of many who create one address at
//! once, one makes the account and the others join it.

use serde::Deserialize;
use shared::auth::{Caller, Policy};
use shared::http::{BodyFields, Member, Request, Response, UserView};
use shared::model::{Email, Password, PersonName, PhoneNumber, User, UserId};
use shared::table::{CreateOutcome, JoinOutcome, NewMembership, Registration};
use shared::{Access, App, Endpoint, Error};

/// Requires the Admin role.
pub const ENDPOINT: Endpoint = Endpoint {
    name: "create-user",
    method: "POST",
    path: "/api/users",
    access: Access::Role(Policy::Admin, |app, admin, request| Box::pin(handle(app, admin, request))),
};

async fn handle(app: &App, admin: &Caller, request: &Request) -> Result<Response, Error> {
    let membership = NewMembership {
        organization_id: admin.organization_id()?.clone(),
        added_by: admin.user_id()?.clone(),
        joined_at: app.now(),
    };
    let new_user = NewUser::parse(request)?;

    match app.table.registration(&new_user.email, &membership.organization_id).await? {
        Registration::Free => create(app, new_user, &membership).await,
        Registration::Taken(user_id) => reuse(app, &user_id, &membership).await,
        Registration::OrganizationMissing => Err(organization_missing()),
    }
}

async fn create(app: &App, new_user: NewUser, membership: &NewMembership) -> Result<Response, Error> {
    let password_hash = match new_user.password {
        Some(password) => Some(app.hash(password).await?),
        None => None,
    };
    let user = User {
        id: app.new_user_id()?,
        first_name: new_user.first_name,
        last_name: new_user.last_name,
        email: new_user.email,
        preferred_email: None,
        phone_number: new_user.phone_number,
    };
    match app.table.create_account(&user, password_hash.as_ref(), membership).await? {
        CreateOutcome::Created => Response::created(&UserView::with_login_email(&user)),
        CreateOutcome::EmailTaken(user_id) => reuse(app, &user_id, membership).await,
        CreateOutcome::OrganizationMissing => Err(organization_missing()),
    }
}

async fn reuse(app: &App, user_id: &UserId, membership: &NewMembership) -> Result<Response, Error> {
    match app.table.join(user_id, membership).await? {
        JoinOutcome::Member(user) => Response::ok(&UserView::with_login_email(&user)),
        JoinOutcome::OrganizationMissing => Err(organization_missing()),
        // The account was deleted between two calls; sent again, the request creates it anew.
        JoinOutcome::UserMissing => Err(Error::unavailable("an e-mail claim names a user that is not there")),
    }
}

fn organization_missing() -> Error {
    Error::invalid("OrganizationId", "The organization of the access token does not exist.")
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Body {
    first_name: Option<Member>,
    last_name: Option<Member>,
    email: Option<Member>,
    password: Option<Member>,
    phone_number: Option<Member>,
}

struct NewUser {
    first_name: PersonName,
    last_name: PersonName,
    email: Email,
    password: Option<Password>,
    phone_number: Option<PhoneNumber>,
}

impl NewUser {
    fn parse(request: &Request) -> Result<Self, Error> {
        let body: Body = request.json_object()?;
        let mut fields = BodyFields::default();
        let first_name = fields.required("FirstName", body.first_name);
        let last_name = fields.required("LastName", body.last_name);
        let email = fields.required("Email", body.email);
        let password = fields.optional("Password", body.password);
        // Forms send an empty string for a field that nobody filled in.
        let phone_number =
            fields.optional("PhoneNumber", body.phone_number.filter(|number| !number.is_blank()));
        match (first_name, last_name, email) {
            (Some(first_name), Some(last_name), Some(email)) if fields.are_valid() => {
                Ok(Self { first_name, last_name, email, password, phone_number })
            }
            _ => Err(fields.into_errors().into()),
        }
    }
}
