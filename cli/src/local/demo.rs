//! The demo data: the examples of the customer's document.

use operator::table::OperatorTable;
use shared::Error;
use shared::clock::Timestamp;
use shared::model::{CustomerAssociation, Organization, User, UserId};
use shared::table::{CreateOutcome, JoinOutcome, NewMembership};

use super::TokenClaims;

/// The id of the demo organization "Acme Corp".
pub const ACME: &str = "6d24ab9faf9e034e881fcd97";
/// The id of the demo organization "Globex".
pub const GLOBEX: &str = "7e35bc0abf0f145f992gde08";
/// The id of the demo user Jane Smith, a member of both.
pub const JANE: &str = "kp_abc123def456";
/// The id of the demo user John Doe, a member of Acme Corp.
const JOHN: &str = "kp_john456doe789";

/// The claims of a token of Jane Smith for Acme Corp, with one role.
pub(crate) fn claims_of_jane(role: &str) -> TokenClaims {
    TokenClaims {
        user_id: JANE.to_owned(),
        organization_id: ACME.to_owned(),
        roles: vec![role.to_owned()],
        email: Some("jane@example.com".to_owned()),
        expires_in: None,
    }
}

/// Writes the demo data into a table.
pub(super) async fn put(table: &OperatorTable, now: Timestamp) -> Result<(), Error> {
    for (id, name, slug) in [(ACME, "Acme Corp", "acme-corp"), (GLOBEX, "Globex", "globex")] {
        let organization = Organization { id: parse(id)?, name: parse(name)?, slug: parse(slug)? };
        table.put_organization(&organization).await?;
    }
    let jane = user(JANE, ("Jane", "Smith"), "jane@example.com", Some("561-555-1212"))?;
    let john = user(JOHN, ("John", "Doe"), "john@example.com", None)?;
    let joining = |organization: &str| -> Result<_, Error> {
        Ok(NewMembership { organization_id: parse(organization)?, added_by: parse(JANE)?, joined_at: now })
    };
    for user in [&jane, &john] {
        let created = table.create_account(user, None, &joining(ACME)?).await?;
        if !matches!(created, CreateOutcome::Created) {
            return Err(Error::defect("the demo data is there in part"));
        }
    }
    if !matches!(table.join(&jane.id, None, &joining(GLOBEX)?).await?, JoinOutcome::Member(_)) {
        return Err(Error::defect("the demo data is there in part"));
    }
    for (organization, number) in [(ACME, "C-10042"), (GLOBEX, "C-20099")] {
        let association = CustomerAssociation {
            user_id: jane.id.clone(),
            customer_number: parse(number)?,
            organization_id: parse(organization)?,
        };
        table.associate(&association).await?.map_err(|_| Error::defect("the demo data is there in part"))?;
    }
    Ok(())
}

fn user(id: &str, (first, last): (&str, &str), email: &str, phone: Option<&str>) -> Result<User, Error> {
    Ok(User {
        id: parse::<UserId>(id)?,
        first_name: parse(first)?,
        last_name: parse(last)?,
        email: parse(email)?,
        preferred_email: None,
        phone_number: phone.map(parse).transpose()?,
    })
}

fn parse<T: std::str::FromStr<Err = shared::model::Invalid>>(text: &str) -> Result<T, Error> {
    text.parse().map_err(|why| Error::defect(format!("the demo data has a text that {why}")))
}
