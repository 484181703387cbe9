//! `docs/identity-providers.md`: tokens of the shapes that the providers document, put to whole functions with
//! the very settings that stand there.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use shared::App;

use crate::harness::key_pairs::{KeyPair as _, Rsa, jws};
use crate::harness::{ACME, Answer, Invocation, JANE, JOHN, World, endpoint, text, user};
use crate::tooling::doctor::assert_explained;

const PAGE: &str = include_str!("../../../docs/identity-providers.md");
const TEMPLATE: &str = include_str!("../../../template.yaml");
const SETTINGS: &str = include_str!("../../../docs/settings.md");

/// The id of the account that a token is linked with.
pub const ACCOUNT: &str = "user_9f86d081884c7d659a2feaa0c55ad015";
/// The demo user Jane Smith's address, an account of Acme Corp and Globex, of which no token here is.
const VICTIM: &str = "jane@example.com";
/// Under which names a provider may carry an address, or what looks like one.
const ADDRESSES: [&str; 7] =
    ["email", "Email", "preferred_username", "upn", "unique_name", "username", "https://example.com/email"];

pub struct Provider {
    /// Its heading on the page.
    pub heading: &'static str,
    fixture: Value,
}

pub fn providers() -> Vec<Provider> {
    [
        ("Kinde", include_str!("identity_providers/kinde.json")),
        ("Auth0", include_str!("identity_providers/auth0.json")),
        ("Amazon Cognito", include_str!("identity_providers/cognito.json")),
        ("Keycloak", include_str!("identity_providers/keycloak.json")),
        ("Microsoft Entra ID", include_str!("identity_providers/entra.json")),
    ]
    .map(|(heading, fixture)| Provider { heading, fixture: serde_json::from_str(fixture).unwrap() })
    .into()
}

impl Provider {
    /// What the page says under the provider's heading.
    fn section(&self) -> &'static str {
        let (_, section) = PAGE.split_once(&format!("\n## {}\n", self.heading)).unwrap();
        section.split("\n## ").next().unwrap()
    }

    /// The settings that a user copies from the page.
    pub fn settings(&self) -> Vec<(&'static str, &'static str)> {
        let (_, block) = self.section().split_once("```ini\n").unwrap();
        let (block, _) = block.split_once("```").unwrap();
        block.lines().map(|line| line.split_once('=').unwrap()).collect()
    }

    pub fn organization(&self) -> &str {
        self.fixture["organization"].as_str().unwrap()
    }

    /// The payload of an Admin's access token, linked with an account.
    pub fn admin(&self, account: &str) -> Value {
        let mut payload = self.fixture["access_token"].clone();
        set(&mut payload, self.fixture["user"].as_str().unwrap(), &json!(account));
        payload
    }

    pub fn customer(&self, account: &str) -> Value {
        let mut payload = self.admin(account);
        edit(&mut payload, self.fixture["customer"].as_object().unwrap());
        payload
    }

    /// Tokens that nearly count: what they are, the status that an Admin's endpoint answers, the payload.
    pub fn near_misses(&self) -> Vec<(&str, u16, Value)> {
        let refused = self.fixture["refused"].as_array().unwrap().iter().map(|near_miss| {
            let mut payload = self.admin(ACCOUNT);
            edit(&mut payload, near_miss[2].as_object().unwrap());
            (near_miss[0].as_str().unwrap(), near_miss[1].as_u64().unwrap().try_into().unwrap(), payload)
        });
        [("an ID token", 401, self.fixture["id_token"].clone())].into_iter().chain(refused).collect()
    }
}

/// A token with this payload, made at a time.
pub fn token(payload: &Value, now: i64, key: &Rsa) -> String {
    let mut payload = payload.clone();
    for (claim, time) in [("exp", now + 3600), ("iat", now), ("nbf", now), ("auth_time", now)] {
        if let Some(there) = payload.get_mut(claim) {
            *there = json!(time);
        }
    }
    jws(&key.header(), &payload, key)
}

/// The key of the providers' tokens.
pub fn key() -> Rsa {
    Rsa::new("RS256", &ring::signature::RSA_PKCS1_SHA256)
}

/// Sets what a JSON Pointer means; `null` takes it away.
fn set(payload: &mut Value, pointer: &str, value: &Value) {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    match payload.pointer_mut(parent).unwrap() {
        Value::Array(elements) => elements[name.parse::<usize>().unwrap()] = value.clone(),
        Value::Object(members) => {
            let name = name.replace("~1", "/").replace("~0", "~");
            if value.is_null() {
                assert!(members.remove(&name).is_some(), "{pointer} is not there");
            } else {
                members.insert(name, value.clone());
            }
        }
        _ => panic!("{pointer} is in nothing"),
    }
}

fn edit(payload: &mut Value, edits: &Map<String, Value>) {
    for (pointer, value) in edits {
        set(payload, pointer, value);
    }
}

/// A world with an account in the provider's organization, and functions with the page's settings.
struct Stage {
    world: World,
    app: Arc<App>,
    key: Rsa,
}

impl Stage {
    async fn start(provider: &Provider) -> Self {
        Self::start_with(provider, &[]).await
    }

    /// With other settings before the page's.
    async fn start_with(provider: &Provider, other: &[(&str, &str)]) -> Self {
        let world = World::start().await;
        let organization = provider.organization();
        world.put_organization(organization, "Example", "example").await;
        world.put_user(user(ACCOUNT, "someone@example.net"), &[organization]).await;
        world.associate(ACCOUNT, organization, "C-7").await;
        let key = key();
        let keys = json!({ "keys": [key.jwk()] }).to_string();
        let mut settings = other.to_vec();
        settings.push(("SIGNING_KEYS", keys.as_str()));
        settings.extend(provider.settings());
        Self { app: world.app(&settings), world, key }
    }

    async fn ask(&self, route: &str, query: &str, payload: &Value) -> Answer {
        let invocation = Invocation::of(endpoint(route)).query(query).bearer(&self.bearer(payload));
        let answer = invocation.answer(&self.app).await;
        Box::pin(assert_explained(&self.app, &self.token(payload), endpoint(route), answer.status)).await;
        answer
    }

    /// A token with this payload, made now.
    fn token(&self, payload: &Value) -> String {
        token(payload, self.world.clock.now().seconds(), &self.key)
    }

    fn bearer(&self, payload: &Value) -> String {
        format!("Bearer {}", self.token(payload))
    }

    async fn organizations(&self, payload: &Value) -> Answer {
        self.ask("GET /api/users/organizations", "", payload).await
    }

    async fn profile(&self, payload: &Value) -> Answer {
        self.ask("GET /api/users/profile", "", payload).await
    }

    async fn association(&self, user: &str, payload: &Value) -> Answer {
        self.ask("GET /api/users/customer-association", &format!("UserId={user}"), payload).await
    }

    async fn associations(&self, user: &str, payload: &Value) -> Answer {
        self.ask("GET /api/users/customer-associations", &format!("UserId={user}"), payload).await
    }

    async fn create(&self, email: &str, payload: &Value) -> Answer {
        let body = json!({ "FirstName": "New", "LastName": "One", "Email": email });
        let invocation = Invocation::of(endpoint("POST /api/users")).body(&body.to_string());
        invocation.bearer(&self.bearer(payload)).answer(&self.app).await
    }
}

#[tokio::test]
async fn a_providers_token_opens_the_linked_account_by_its_role() {
    for provider in providers() {
        let stage = Stage::start(&provider).await;
        let (admin, customer) = (provider.admin(ACCOUNT), provider.customer(ACCOUNT));
        let organization = provider.organization();
        let answer = stage.organizations(&admin).await.assert_ok(200);
        let expected = json!([{ "OrganizationId": organization, "Name": "Example", "Slug": "example" }]);
        assert_eq!(answer["Organizations"], expected, "{}", provider.heading);
        let answer = stage.association(ACCOUNT, &admin).await.assert_ok(200);
        assert_eq!(answer["OrganizationId"], organization);
        let answer = stage.associations(ACCOUNT, &admin).await.assert_ok(200);
        assert_eq!(answer.as_array().unwrap().len(), 1);
        let answer = stage.profile(&customer).await.assert_ok(200);
        assert_eq!(answer["Email"], "someone@example.net");
        // Neither is the other.
        stage.profile(&admin).await.assert_problem(403);
        stage.organizations(&customer).await.assert_problem(403);
    }
}

#[tokio::test]
async fn a_providers_token_that_nearly_counts_is_refused() {
    for provider in providers() {
        let stage = Stage::start(&provider).await;
        let near_misses = provider.near_misses();
        assert!(near_misses.len() > 11);
        for (name, status, payload) in near_misses {
            let answer = stage.organizations(&payload).await;
            answer.assert_well_formed();
            assert_eq!(answer.status, status, "{}: {name}", provider.heading);
        }
        // A claim that is looked up is looked up where the endpoint needs it, and no other is in its place.
        let (mut unlinked, mut homeless) = (provider.admin(ACCOUNT), provider.admin(ACCOUNT));
        set(&mut unlinked, provider.fixture["user"].as_str().unwrap(), &Value::Null);
        unlinked["UserId"] = json!(ACCOUNT);
        stage.organizations(&unlinked).await.assert_problem(401);
        let settings = provider.settings();
        let claim = settings.iter().find(|(name, _)| *name == "CLAIM_ORGANIZATION_ID");
        if let Some((_, claim)) = claim {
            homeless.as_object_mut().unwrap().remove(*claim).unwrap();
            homeless["OrganizationId"] = json!(provider.organization());
            stage.association(ACCOUNT, &homeless).await.assert_problem(401);
        } else {
            homeless["OrganizationId"] = json!(ACME);
            let answer = stage.association(ACCOUNT, &homeless).await.assert_ok(200);
            assert_eq!(answer["OrganizationId"], provider.organization());
        }
    }
}

#[tokio::test]
async fn a_token_with_anothers_address_gets_nothing_of_theirs() {
    const OTHER: &str = "user_00000000000000000000000000000bad";
    for provider in providers() {
        let stage = Stage::start(&provider).await;
        let before = stage.world.partition(&format!("USER#{JANE}")).await;
        assert_eq!(before.len(), 5, "an account, two memberships, two associations");
        let with = |mut payload: Value, address: Option<&str>, verified: Option<&Value>| {
            for name in ADDRESSES {
                payload.as_object_mut().unwrap().remove(name);
                if let Some(address) = address {
                    payload[name] = json!(address);
                }
            }
            payload.as_object_mut().unwrap().remove("email_verified");
            if let Some(verified) = verified {
                payload["email_verified"] = verified.clone();
            }
            payload
        };
        for (number, verified) in
            [None, Some(&json!(true)), Some(&json!(false)), Some(&json!("true"))].into_iter().enumerate()
        {
            let admin = with(provider.admin(OTHER), Some(VICTIM), verified);
            let customer = with(provider.customer(OTHER), Some(VICTIM), verified);
            stage.organizations(&admin).await.assert_invalid(&["UserId"]);
            stage.profile(&customer).await.assert_problem(404);
            stage.association(JANE, &admin).await.assert_problem(404);
            assert_eq!(stage.associations(JANE, &admin).await.assert_ok(200), json!([]));
            let address = format!("new{number}@example.net");
            stage.create(&address, &admin).await.assert_ok(201);
            let id = stage.world.user_id_of(&address).await.unwrap();
            let created = stage.world.partition(&format!("USER#{id}")).await;
            let profile = created.iter().find(|item| text(item, "SK") == "PROFILE").unwrap();
            assert_eq!(text(profile, "CreatedBy"), OTHER);

            // The address changes no answer.
            let none = with(provider.admin(OTHER), None, None);
            assert_eq!(
                stage.organizations(&admin).await.stable_json(),
                stage.organizations(&none).await.stable_json()
            );
            // An account that is linked is that account, whatever the address is.
            let linked = with(provider.customer(ACCOUNT), Some(VICTIM), verified);
            assert_eq!(stage.profile(&linked).await.assert_ok(200)["Email"], "someone@example.net");
        }
        assert_eq!(stage.world.partition(&format!("USER#{JANE}")).await, before, "{}", provider.heading);
    }
}

#[tokio::test]
async fn a_created_account_is_linked_by_the_providers_claim() {
    const ADDRESS: &str = "new@example.net";
    for provider in providers() {
        let stage = Stage::start(&provider).await;
        let answer = stage.create(ADDRESS, &provider.admin(ACCOUNT)).await;
        answer.assert_ok(201);
        // The answer does not tell the id: an operator reads it from the table.
        let id = stage.world.user_id_of(ADDRESS).await.unwrap();
        assert!(!answer.body.contains(&id));
        let mut unlinked = provider.customer(&id);
        set(&mut unlinked, provider.fixture["user"].as_str().unwrap(), &Value::Null);
        unlinked["email"] = json!(ADDRESS);
        unlinked["email_verified"] = json!(true);
        stage.profile(&unlinked).await.assert_problem(401);
        let linked = stage.profile(&provider.customer(&id)).await;
        assert_eq!(linked.assert_ok(200)["Email"], ADDRESS);
        let organizations = stage.organizations(&provider.admin(&id)).await.assert_ok(200);
        assert_eq!(organizations["Organizations"].as_array().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_name_given_twice_is_refused_wherever_a_path_goes() {
    for provider in
        providers().into_iter().filter(|provider| ["Kinde", "Keycloak"].contains(&provider.heading))
    {
        let stage = Stage::start(&provider).await;
        let payload = provider.admin(ACCOUNT);
        let path = if provider.heading == "Kinde" { "\"key\":\"admin\"" } else { "\"roles\":[\"admin\"]" };
        let text = payload.to_string().replace("\"exp\":0", "\"exp\":4000000000");
        assert!(text.contains(path));
        let other = path.replace("admin", "other");
        for twice in [format!("{other},{path}"), format!("{path},{other}"), format!("{path},{path}")] {
            let token = |text: &str| {
                let header = stage.key.header().to_string();
                format!("Bearer {}", crate::harness::key_pairs::signed_text(&header, text, &stage.key))
            };
            let ask = async |text: &str| {
                let invocation =
                    Invocation::of(endpoint("GET /api/users/organizations")).bearer(&token(text));
                invocation.answer(&stage.app).await
            };
            ask(&text).await.assert_ok(200);
            ask(&text.replace(path, &twice)).await.assert_problem(401);
            // Where no path goes, nothing is read.
            let unread = text.replacen('{', "{\"unread\":{\"a\":1,\"a\":2},", 1);
            ask(&unread).await.assert_ok(200);
        }
    }
}

#[tokio::test]
async fn a_setting_allows_an_id_as_the_one_element_of_an_array() {
    let provider = providers().into_iter().find(|provider| provider.heading == "Microsoft Entra ID").unwrap();
    assert!(provider.section().contains("`CLAIM_USER_ID=/extn.usersId/*`"));
    let stage = Stage::start_with(&provider, &[("CLAIM_USER_ID", "/extn.usersId/*")]).await;
    for (ids, status) in [
        (json!([ACCOUNT]), 200),
        (json!([]), 401),
        (json!([ACCOUNT, ACCOUNT]), 401),
        (json!([ACCOUNT, JOHN]), 401),
        (json!([[ACCOUNT]]), 401),
        (json!([7]), 401),
        (json!(ACCOUNT), 401),
    ] {
        let mut payload = provider.admin(ACCOUNT);
        payload["extn.usersId"] = ids.clone();
        assert_eq!(stage.organizations(&payload).await.status, status, "{ids}");
    }
}

#[test]
fn every_setting_of_the_page_is_documented_and_a_parameter() {
    for provider in providers() {
        for url in provider.fixture["documentation"].as_array().unwrap() {
            assert!(provider.section().contains(url.as_str().unwrap()), "{}: {url}", provider.heading);
        }
        for (name, value) in provider.settings() {
            assert!(!value.is_empty() && value.trim() == value, "{name}");
            assert!(SETTINGS.contains(&format!("| `{name}` |")), "{name}");
            let words = name.split('_').map(|word| word[..1].to_owned() + &word[1..].to_lowercase());
            let parameter: String = words.collect();
            assert!(TEMPLATE.contains(&format!("\n  {parameter}:\n    Type: String\n")), "{parameter}");
            let passed = TEMPLATE.contains(&format!("\n        {name}: !Ref {parameter}\n"));
            assert!(passed, "Globals do not pass {parameter} as {name}");
        }
    }
}
