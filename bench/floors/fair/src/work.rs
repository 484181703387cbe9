//! The work of four functions. Each answers a right request as the function does, and no other.

use std::collections::HashMap;
use std::sync::LazyLock;

use lambda_http::{Error, Request, RequestExt as _};
use serde::{Deserialize, Serialize};

use crate::millis;
use crate::table::{Attribute, Table};
use crate::tokens::{Claims, Tokens};

/// The most keys that one `BatchGetItem` takes.
const MAX_BATCH_KEYS: usize = 100;
/// The requests that a client has in a window, and the window in milliseconds.
const LIMIT: usize = 10;
const WINDOW: u64 = 60_000;

/// Shifts the times of a client's last requests, and puts the current one first.
static UPDATE: LazyLock<String> = LazyLock::new(|| {
    let shifts = (2..=LIMIT).rev().map(|n| format!("T{n} = if_not_exists(T{}, :never)", n - 1));
    let shifts = shifts.collect::<Vec<_>>().join(", ");
    format!("SET {shifts}, T1 = :now, ExpiresAt = :expires")
});

/// A function.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Work {
    GetProfile,
    ListOrganizations,
    ListCustomerAssociations,
    CheckUserExists,
}

/// What it answers: a body, and for a limited endpoint what is left of the client's quota.
pub struct Answer {
    pub body: String,
    /// Requests and seconds.
    pub quota: Option<(usize, u64)>,
    pub user_id: String,
    pub organization_id: String,
}

impl Work {
    /// The function of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "get-profile" => Self::GetProfile,
            "list-organizations" => Self::ListOrganizations,
            "list-customer-associations" => Self::ListCustomerAssociations,
            "check-user-exists" => Self::CheckUserExists,
            _ => return None,
        })
    }

    /// The route, for the log.
    pub fn route(self) -> &'static str {
        match self {
            Self::GetProfile => "GET /api/users/profile",
            Self::ListOrganizations => "GET /api/users/organizations",
            Self::ListCustomerAssociations => "GET /api/users/customer-associations",
            Self::CheckUserExists => "GET /api/users/exists",
        }
    }

    /// Answers a request.
    pub async fn answer(
        self,
        request: &Request,
        table: &mut Table,
        tokens: &Tokens,
    ) -> Result<Answer, Error> {
        if self == Self::CheckUserExists {
            return check_user_exists(request, table).await;
        }
        let authorization = request.headers().get("authorization").ok_or("no token")?;
        let payload = tokens.verify(authorization.to_str()?)?;
        let claims = tokens.claims(&payload, if self == Self::GetProfile { "Customer" } else { "Admin" })?;
        let body = match self {
            Self::GetProfile => get_profile(&claims, table).await?,
            Self::ListOrganizations => list_organizations(&claims, table).await?,
            _ => list_customer_associations(&claims, request, table).await?,
        };
        let (user_id, organization_id) = (claims.sub.into_owned(), claims.organization_id.into_owned());
        Ok(Answer { body, quota: None, user_id, organization_id })
    }
}

/// The attributes of an item that are read.
#[derive(Deserialize)]
struct Item<'a> {
    #[serde(borrow, rename = "PK")]
    partition: Attribute<'a>,
    #[serde(borrow, rename = "SK")]
    sort: Attribute<'a>,
    #[serde(borrow, rename = "FirstName")]
    first_name: Option<Attribute<'a>>,
    #[serde(borrow, rename = "LastName")]
    last_name: Option<Attribute<'a>>,
    #[serde(borrow, rename = "Email")]
    email: Option<Attribute<'a>>,
    #[serde(borrow, rename = "PreferredEmail")]
    preferred_email: Option<Attribute<'a>>,
    #[serde(borrow, rename = "PhoneNumber")]
    phone_number: Option<Attribute<'a>>,
    #[serde(borrow, rename = "Name")]
    name: Option<Attribute<'a>>,
    #[serde(borrow, rename = "Slug")]
    slug: Option<Attribute<'a>>,
    #[serde(borrow, rename = "CustomerNumber")]
    customer_number: Option<Attribute<'a>>,
}

#[derive(Deserialize)]
struct Batch<'a> {
    #[serde(borrow, rename = "Responses")]
    responses: HashMap<&'a str, Vec<Item<'a>>>,
}

#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow, rename = "Items")]
    items: Vec<Item<'a>>,
    #[serde(borrow, rename = "LastEvaluatedKey")]
    last: Option<Item<'a>>,
}

fn text<'a>(attribute: Option<&'a Attribute<'_>>) -> Result<&'a str, Error> {
    attribute.map(Attribute::as_str).ok_or_else(|| "an attribute is missing".into())
}

/// The body of a `BatchGetItem`. No id needs an escape.
fn batch(table: &Table, keys: impl Iterator<Item = (String, String)>) -> String {
    let keys: Vec<_> =
        keys.map(|(pk, sk)| format!(r#"{{"PK":{{"S":"{pk}"}},"SK":{{"S":"{sk}"}}}}"#)).collect();
    let (name, keys) = (table.name(), keys.join(","));
    format!(r#"{{"RequestItems":{{"{name}":{{"Keys":[{keys}],"ConsistentRead":true}}}}}}"#)
}

/// The body of a `Query` of a range in a user's partition, from the start or after an item.
fn query(table: &Table, user: &str, range: (&str, &str), after: Option<&str>) -> String {
    let ((first, last), name) = (range, table.name());
    let start = after.map_or_else(String::new, |sort| {
        format!(r#","ExclusiveStartKey":{{"PK":{{"S":"USER#{user}"}},"SK":{{"S":"{sort}"}}}}"#)
    });
    format!(
        r#"{{"TableName":"{name}","ConsistentRead":true,"KeyConditionExpression":"PK = :partition AND SK BETWEEN :first AND :last","ExpressionAttributeValues":{{":partition":{{"S":"USER#{user}"}},":first":{{"S":"{first}"}},":last":{{"S":"{last}"}}}}{start}}}"#
    )
}

async fn get_profile(claims: &Claims<'_>, table: &mut Table) -> Result<String, Error> {
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Profile<'a> {
        first_name: &'a str,
        last_name: &'a str,
        email: &'a str,
        phone_number: Option<&'a str>,
    }

    let user = format!("USER#{}", claims.sub);
    let membership = (user.clone(), format!("MEMBERSHIP#{}", claims.organization_id));
    let keys = [(user, "PROFILE".to_owned()), membership];
    let answer = table.call("BatchGetItem", batch(table, keys.into_iter())).await?;
    let found: Batch = serde_json::from_slice(&answer)?;
    let items = found.responses.get(table.name()).ok_or("no items")?;
    let user = items.iter().find(|item| item.sort.as_str() == "PROFILE").ok_or("no user")?;
    if items.len() != 2 {
        return Err("no member".into());
    }
    Ok(serde_json::to_string(&Profile {
        first_name: text(user.first_name.as_ref())?,
        last_name: text(user.last_name.as_ref())?,
        email: text(user.preferred_email.as_ref().or(user.email.as_ref()))?,
        phone_number: user.phone_number.as_ref().map(Attribute::as_str),
    })?)
}

async fn list_organizations(claims: &Claims<'_>, table: &mut Table) -> Result<String, Error> {
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct OrganizationView {
        organization_id: String,
        name: String,
        slug: String,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Organizations {
        organizations: Vec<OrganizationView>,
    }

    let (mut ids, mut after) = (Vec::new(), None::<String>);
    loop {
        let call = query(table, &claims.sub, ("MEMBERSHIP#", "PROFILE"), after.as_deref());
        let answer = table.call("Query", call).await?;
        let page: Page = serde_json::from_slice(&answer)?;
        let sorts = page.items.iter().map(|item| item.sort.as_str());
        ids.extend(sorts.filter_map(|sort| sort.strip_prefix("MEMBERSHIP#")).map(ToOwned::to_owned));
        after = page.last.map(|item| item.sort.as_str().to_owned());
        if after.is_none() {
            break;
        }
    }
    let mut organizations = Vec::with_capacity(ids.len());
    for ids in ids.chunks(MAX_BATCH_KEYS) {
        let keys = ids.iter().map(|id| (format!("ORG#{id}"), "ORG".to_owned()));
        let answer = table.call("BatchGetItem", batch(table, keys)).await?;
        let found: Batch = serde_json::from_slice(&answer)?;
        for item in found.responses.values().flatten() {
            let id = item.partition.as_str().strip_prefix("ORG#").ok_or("not an organization")?;
            organizations.push(OrganizationView {
                organization_id: id.to_owned(),
                name: text(item.name.as_ref())?.to_owned(),
                slug: text(item.slug.as_ref())?.to_owned(),
            });
        }
    }
    organizations.sort_unstable_by(|a, b| a.organization_id.cmp(&b.organization_id));
    Ok(serde_json::to_string(&Organizations { organizations })?)
}

async fn list_customer_associations(
    claims: &Claims<'_>,
    request: &Request,
    table: &mut Table,
) -> Result<String, Error> {
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Association<'a> {
        user_id: &'a str,
        customer_number: String,
        organization_id: String,
    }

    let parameters = request.query_string_parameters();
    let user_id = parameters.first("UserId").ok_or("no UserId")?;
    let own = ["MEMBERSHIP#", "CUSTOMER#"].map(|kind| format!("{kind}{}", claims.organization_id));
    let (mut associations, mut known, mut after) = (Vec::new(), false, None::<String>);
    loop {
        let [membership, _] = &own;
        let call = query(table, user_id, ("CUSTOMER#", membership), after.as_deref());
        let answer = table.call("Query", call).await?;
        let page: Page = serde_json::from_slice(&answer)?;
        for item in &page.items {
            let sort = item.sort.as_str();
            known |= own.iter().any(|own| own == sort);
            if let Some(organization_id) = sort.strip_prefix("CUSTOMER#") {
                associations.push(Association {
                    user_id,
                    customer_number: text(item.customer_number.as_ref())?.to_owned(),
                    organization_id: organization_id.to_owned(),
                });
            }
        }
        after = page.last.map(|item| item.sort.as_str().to_owned());
        if after.is_none() {
            break;
        }
    }
    if !known {
        associations.clear();
    }
    Ok(serde_json::to_string(&associations)?)
}

async fn check_user_exists(request: &Request, table: &mut Table) -> Result<Answer, Error> {
    #[derive(Deserialize)]
    struct Updated<'a> {
        #[serde(borrow, rename = "Attributes")]
        attributes: HashMap<&'a str, Attribute<'a>>,
    }
    #[derive(Deserialize)]
    struct Found<'a> {
        #[serde(borrow, rename = "Item")]
        item: Option<HashMap<&'a str, Attribute<'a>>>,
    }

    let context = request.request_context_ref().ok_or("no context")?;
    let client = match context {
        lambda_http::request::RequestContext::ApiGatewayV2(context) => context.http.source_ip.as_deref(),
        _ => None,
    };
    let (client, name, now) = (client.ok_or("no address")?, table.name(), millis());
    let (cutoff, impossible, expires) = (now - WINDOW, now + WINDOW, (now + 2 * WINDOW) / 1000 + 1);
    let update = UPDATE.as_str();
    let call = format!(
        r#"{{"TableName":"{name}","Key":{{"PK":{{"S":"RATE#exists#{client}"}},"SK":{{"S":"RATE"}}}},"UpdateExpression":"{update}","ConditionExpression":"attribute_not_exists(T{LIMIT}) OR T{LIMIT} <= :cutoff OR T{LIMIT} > :impossible","ExpressionAttributeValues":{{":now":{{"N":"{now}"}},":cutoff":{{"N":"{cutoff}"}},":impossible":{{"N":"{impossible}"}},":expires":{{"N":"{expires}"}},":never":{{"N":"0"}}}},"ReturnValues":"ALL_NEW","ReturnValuesOnConditionCheckFailure":"ALL_OLD"}}"#
    );
    let answer = table.call("UpdateItem", call).await?;
    let updated: Updated = serde_json::from_slice(&answer)?;
    let time = |n: usize| updated.attributes.get(format!("T{n}").as_str())?.as_str().parse::<u64>().ok();
    let counting: Vec<u64> = (1..=LIMIT).filter_map(time).filter(|time| *time > cutoff).collect();
    let oldest = counting.iter().min().copied().unwrap_or(now);
    let quota = (LIMIT - counting.len(), (oldest + WINDOW - now).div_ceil(1000));

    let parameters = request.query_string_parameters();
    let email = parameters.first("Email").ok_or("no Email")?.trim().to_lowercase();
    let key = serde_json::to_string(&format!("EMAIL#{email}"))?;
    let name = table.name();
    let call = format!(
        r#"{{"TableName":"{name}","Key":{{"PK":{{"S":{key}}},"SK":{{"S":"EMAIL"}}}},"ConsistentRead":true}}"#
    );
    let answer = table.call("GetItem", call).await?;
    let found: Found = serde_json::from_slice(&answer)?;
    let body = format!(r#"{{"UserExists":{}}}"#, found.item.is_some());
    Ok(Answer { body, quota: Some(quota), user_id: String::new(), organization_id: String::new() })
}
