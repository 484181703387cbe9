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
use shared::model::{Email, Password, PasswordHash, PersonName, PhoneNumber, User, UserId};
use shared::table::{CreateOutcome, JoinOutcome, NewMembership, Registration};
use shared::{Access, App, Endpoint, Error};

/// How often an address is looked up that goes to another account between two calls.
const MAX_LOOK_UPS: u32 = 4;

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
    create_or_reuse(app, NewUser::parse(request)?, &membership).await
}

async fn create_or_reuse(
    app: &App,
    mut new_user: NewUser,
    membership: &NewMembership,
) -> Result<Response, Error> {
    let mut password_hash = None;
    for _ in 0..MAX_LOOK_UPS {
        let response = match app.table.registration(&new_user.email, &membership.organization_id).await? {
            Registration::Free => {
                if let Some(password) = new_user.password.take() {
                    password_hash = Some(app.hash(password).await?);
                }
                create(app, &new_user, password_hash.as_ref(), membership).await?
            }
            Registration::Taken(user_id) => reuse(app, &user_id, &new_user.email, membership).await?,
            Registration::OrganizationMissing => return Err(organization_missing()),
        };
        if let Some(response) = response {
            return Ok(response);
        }
    }
    Err(Error::unavailable("an e-mail address went to another account, look-up after look-up"))
}

/// `None` if the address went to another account meanwhile.
async fn create(
    app: &App,
    new_user: &NewUser,
    password_hash: Option<&PasswordHash>,
    membership: &NewMembership,
) -> Result<Option<Response>, Error> {
    let user = User {
        id: app.new_user_id()?,
        first_name: new_user.first_name.clone(),
        last_name: new_user.last_name.clone(),
        email: new_user.email.clone(),
        preferred_email: None,
        phone_number: new_user.phone_number.clone(),
    };
    match app.table.create_account(&user, password_hash, membership).await? {
        CreateOutcome::Created => {
            let response = Response::created(&UserView::with_login_email(&user))?;
            Ok(Some(response.affecting(&user.id)))
        }
        CreateOutcome::EmailTaken(user_id) => reuse(app, &user_id, &user.email, membership).await,
        CreateOutcome::OrganizationMissing => Err(organization_missing()),
    }
}

/// `None` if the address went to another account meanwhile.
async fn reuse(
    app: &App,
    user_id: &UserId,
    email: &Email,
    membership: &NewMembership,
) -> Result<Option<Response>, Error> {
    match app.table.join(user_id, Some(email), membership).await? {
        JoinOutcome::Member(user) => {
            let response = Response::ok(&UserView::with_login_email(&user))?;
            Ok(Some(response.affecting(&user.id)))
        }
        JoinOutcome::AddressMoved => Ok(None),
        JoinOutcome::OrganizationMissing => Err(organization_missing()),
        // An account and its claim are deleted together. Only a repair ends this, so it is no 503.
        JoinOutcome::UserMissing => Err(Error::defect(
            "an e-mail claim names a user that is not there or has another address: `users doctor --scan` says more",
        )),
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
