//! Tokens under attack: one table of forged, spoiled and odd tokens, each put to every endpoint that takes
//! one, through the whole function. A snapshot records the table; `docs/attacks.md` explains it.

mod authorization_header;
mod claims;
mod header;
mod keys;
mod parts;
mod signatures;

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use shared::App;
use shared::table::StoredSigningKeys;

use crate::endpoints::{Row, secured_rows};
use crate::harness::key_pairs::{Ecdsa, KeyPair, every_algorithm, jws, signed_text};
use crate::harness::{Answer, START, World, endpoint};
use crate::tooling::doctor::assert_explained;

/// What an attack gets.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Outcome {
    /// 401.
    Refused,
    /// 400: the request is malformed.
    Malformed,
    /// 431.
    TooLarge,
    /// 401 where the endpoint reads this claim, elsewhere what a good token gets.
    RefusedWhereRead(&'static str),
    /// 403.
    Forbidden,
    /// What a good token gets, for this reason.
    Accepted(&'static str),
}

/// Whose signatures count.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Keys {
    /// The table's.
    Stored,
    /// `SIGNING_KEYS`, public ones.
    InlinePublic,
    /// `SIGNING_KEYS`, the HS256 secret.
    InlineSecret,
}

/// How an attack comes.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Way {
    /// In an event, several lines of the header joined with commas, as API Gateway does.
    Event,
    /// Over HTTP, through the local gateway.
    Http,
    Both,
}

/// A row of the table.
pub struct Attack {
    name: String,
    outcome: Outcome,
    keys: Keys,
    way: Way,
    /// Each a request: the lines of its `Authorization` header.
    tries: Vec<Vec<String>>,
}

impl Attack {
    /// An attack by tokens.
    fn new(name: impl Into<String>, outcome: Outcome, tokens: impl IntoIterator<Item = String>) -> Self {
        let tries = tokens.into_iter().map(|token| vec![format!("Bearer {token}")]).collect();
        Self { name: name.into(), outcome, keys: Keys::Stored, way: Way::Event, tries }
    }

    fn refused(name: impl Into<String>, tokens: impl IntoIterator<Item = String>) -> Self {
        Self::new(name, Outcome::Refused, tokens)
    }

    fn accepted(name: impl Into<String>, why: &'static str, token: String) -> Self {
        Self::new(name, Outcome::Accepted(why), [token])
    }

    /// An attack by the lines of an `Authorization` header.
    fn by_header(name: &str, outcome: Outcome, way: Way, lines: &[&str]) -> Self {
        let tries = vec![lines.iter().map(|&line| line.to_owned()).collect()];
        Self { name: name.to_owned(), outcome, keys: Keys::Stored, way, tries }
    }

    fn with_keys(mut self, keys: Keys) -> Self {
        self.keys = keys;
        self
    }

    fn ways(&self) -> &'static [Way] {
        match self.way {
            Way::Event => &[Way::Event],
            Way::Http => &[Way::Http],
            Way::Both => &[Way::Event, Way::Http],
        }
    }
}

/// The attacks of a group on endpoints that demand a role.
type Rows = fn(&Stage, &str) -> Vec<Attack>;

/// The table: each group under the name of its test.
const GROUPS: &[(&str, Rows)] = &[
    ("an_unsigned_token_is_refused", header::unsigned),
    ("the_public_key_is_no_hmac_secret", keys::public_keys_as_secrets),
    ("the_algorithm_is_the_keys_whatever_the_token_says", header::algorithms),
    ("keys_that_a_token_brings_along_do_not_count", keys::brought_along),
    ("a_kid_names_a_known_key_and_nothing_else", keys::kids),
    ("a_weak_or_broken_key_does_not_count", keys::weak),
    ("a_header_that_demands_an_extension_is_refused", header::extensions),
    ("a_signature_that_is_not_the_keys_is_refused", signatures::wrong),
    ("a_signature_with_one_bit_changed_is_refused", signatures::flipped),
    ("a_token_has_three_parts_as_they_were_signed", parts::split),
    ("base64url_is_strict", parts::base64url),
    ("a_name_given_twice_is_refused", parts::duplicates),
    ("a_payload_is_one_json_object", parts::payloads),
    ("nesting_and_size_are_bounded", parts::bounds),
    ("a_token_counts_from_60_s_before_nbf_to_60_s_after_exp", claims::times),
    ("a_token_of_another_issuer_or_audience_is_refused", claims::issuers_and_audiences),
    ("a_role_is_exactly_itself", claims::roles),
    ("a_token_without_a_claim_that_the_endpoint_needs_is_refused", claims::identifiers),
    ("an_authorization_header_is_one_of_a_bearer_token", authorization_header::all),
];

#[tokio::test]
async fn an_unsigned_token_is_refused() {
    hold("an_unsigned_token_is_refused").await;
}

#[tokio::test]
async fn the_public_key_is_no_hmac_secret() {
    hold("the_public_key_is_no_hmac_secret").await;
}

#[tokio::test]
async fn the_algorithm_is_the_keys_whatever_the_token_says() {
    hold("the_algorithm_is_the_keys_whatever_the_token_says").await;
}

#[tokio::test]
async fn keys_that_a_token_brings_along_do_not_count() {
    hold("keys_that_a_token_brings_along_do_not_count").await;
}

#[tokio::test]
async fn a_kid_names_a_known_key_and_nothing_else() {
    hold("a_kid_names_a_known_key_and_nothing_else").await;
}

#[tokio::test]
async fn a_weak_or_broken_key_does_not_count() {
    hold("a_weak_or_broken_key_does_not_count").await;
}

#[tokio::test]
async fn a_header_that_demands_an_extension_is_refused() {
    hold("a_header_that_demands_an_extension_is_refused").await;
}

#[tokio::test]
async fn a_signature_that_is_not_the_keys_is_refused() {
    hold("a_signature_that_is_not_the_keys_is_refused").await;
}

#[tokio::test]
async fn a_signature_with_one_bit_changed_is_refused() {
    hold("a_signature_with_one_bit_changed_is_refused").await;
}

#[tokio::test]
async fn a_token_has_three_parts_as_they_were_signed() {
    hold("a_token_has_three_parts_as_they_were_signed").await;
}

#[tokio::test]
async fn base64url_is_strict() {
    hold("base64url_is_strict").await;
}

#[tokio::test]
async fn a_name_given_twice_is_refused() {
    hold("a_name_given_twice_is_refused").await;
}

#[tokio::test]
async fn a_payload_is_one_json_object() {
    hold("a_payload_is_one_json_object").await;
}

#[tokio::test]
async fn nesting_and_size_are_bounded() {
    hold("nesting_and_size_are_bounded").await;
}

#[tokio::test]
async fn a_token_counts_from_60_s_before_nbf_to_60_s_after_exp() {
    hold("a_token_counts_from_60_s_before_nbf_to_60_s_after_exp").await;
}

#[tokio::test]
async fn a_token_of_another_issuer_or_audience_is_refused() {
    hold("a_token_of_another_issuer_or_audience_is_refused").await;
}

#[tokio::test]
async fn a_role_is_exactly_itself() {
    hold("a_role_is_exactly_itself").await;
}

#[tokio::test]
async fn a_token_without_a_claim_that_the_endpoint_needs_is_refused() {
    hold("a_token_without_a_claim_that_the_endpoint_needs_is_refused").await;
}

#[tokio::test]
async fn an_authorization_header_is_one_of_a_bearer_token() {
    hold("an_authorization_header_is_one_of_a_bearer_token").await;
}

/// A world and the keys that count in it.
pub struct Stage {
    world: World,
    keys: Vec<Box<dyn KeyPair>>,
    stored: Arc<App>,
    inline_public: Arc<App>,
    inline_secret: Arc<App>,
    /// Where a token says that its keys are. Nobody may ever come.
    bait: TcpListener,
}

impl Stage {
    async fn start() -> Self {
        let world = World::start().await;
        let keys = every_algorithm();
        let (secret, public) = keys.split_last().unwrap();
        let public: Vec<_> = public.iter().map(|key| key.jwk()).collect();
        let weak = keys::weak_keys().into_iter().map(|weak| weak.jwk);
        // Each weak key stands before a good one of the same id and algorithm.
        let stored: Vec<_> = weak.chain(keys::good_namesakes(&keys)).chain(public.clone()).collect();
        let stored = StoredSigningKeys { jwks: json!({ "keys": stored }).to_string(), fetched_at: START };
        world.table().put_signing_keys(&stored).await.unwrap();
        // Whoever has read other keys reads again.
        world.clock.advance(Duration::from_mins(5));
        let inline = |keys: &[Value]| world.app(&[("SIGNING_KEYS", &json!({ "keys": keys }).to_string())]);
        let (inline_public, inline_secret) = (inline(&public), inline(&[secret.jwk()]));
        let bait = TcpListener::bind("127.0.0.1:0").unwrap();
        bait.set_nonblocking(true).unwrap();
        Self { stored: world.app(&[]), inline_public, inline_secret, world, keys, bait }
    }

    fn app(&self, keys: Keys) -> &Arc<App> {
        match keys {
            Keys::Stored => &self.stored,
            Keys::InlinePublic => &self.inline_public,
            Keys::InlineSecret => &self.inline_secret,
        }
    }

    /// The key pair of an algorithm; the ones of [`Keys::Stored`], and of HS256.
    fn key(&self, algorithm: &str) -> &dyn KeyPair {
        self.keys.iter().find(|key| key.algorithm() == algorithm).unwrap().as_ref()
    }

    /// Another's key.
    fn stranger() -> Ecdsa {
        Ecdsa::es256()
    }

    /// The payload of a good token.
    fn payload(&self, role: &str) -> Value {
        let mut payload = self.world.payload();
        payload["role"] = role.into();
        payload
    }

    fn good(&self, role: &str) -> String {
        self.signed(&self.payload(role))
    }

    /// A token of this payload, rightly signed.
    fn signed(&self, payload: &Value) -> String {
        let key = self.key("ES256");
        jws(&key.header(), payload, key)
    }

    /// A token of this text as its payload, rightly signed.
    fn signed_text(&self, payload: &str) -> String {
        let key = self.key("ES256");
        signed_text(&key.header().to_string(), payload, key)
    }

    /// A good token but for one claim.
    fn with_claim(&self, role: &str, name: &str, value: &Value) -> String {
        let mut payload = self.payload(role);
        payload[name] = value.clone();
        self.signed(&payload)
    }

    fn without_claim(&self, role: &str, name: &str) -> String {
        let mut payload = self.payload(role);
        payload.as_object_mut().unwrap().remove(name);
        self.signed(&payload)
    }

    /// A good token but for one member of its header.
    fn with_header(&self, role: &str, name: &str, value: &Value) -> String {
        let key = self.key("ES256");
        let mut header = key.header();
        header[name] = value.clone();
        jws(&header, &self.payload(role), key)
    }

    /// An address that nobody may ask.
    fn bait(&self) -> String {
        format!("http://{}/keys", self.bait.local_addr().unwrap())
    }

    async fn ask(&self, row: &Row, keys: Keys, way: Way, lines: &[String]) -> Answer {
        if way == Way::Http {
            let call = row.call(&self.world);
            return lines.iter().fold(call, |call, line| call.line("authorization", line)).send().await;
        }
        row.invocation().bearer(&lines.join(",")).answer(self.app(keys)).await
    }
}

/// What an answer tells: all of it but what differs from request to request.
type Told = (u16, Vec<(String, String)>, Value);

fn told(answer: &Answer) -> Told {
    let mut headers: Vec<_> = answer
        .headers
        .iter()
        .filter(|(name, _)| !["x-request-id", "date"].contains(&name.as_str()))
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    headers.sort();
    (answer.status, headers, answer.stable_json())
}

/// What a token gets that is malformed, that lacks the role, that is good.
struct Answers {
    refused: Told,
    malformed: Told,
    too_large: Told,
    forbidden: Told,
    accepted: Told,
}

impl Answers {
    async fn of(stage: &Stage, row: &Row, way: Way) -> Self {
        let ask = async |token: &str| stage.ask(row, Keys::Stored, way, &[format!("Bearer {token}")]).await;
        let refused = ask("x").await;
        refused.assert_problem(401);
        assert_eq!(refused.header("www-authenticate"), Some("Bearer error=\"invalid_token\""));
        let malformed = ask("x,Bearer x").await;
        malformed.assert_invalid(&["Authorization"]);
        let too_large = ask(&"x".repeat(10 * 1024)).await;
        too_large.assert_problem(431);
        let forbidden = ask(&stage.good("SalesRep")).await;
        forbidden.assert_problem(403);
        let accepted = ask(&stage.good(row.role.unwrap())).await;
        accepted.assert_ok(row.status);
        Self {
            refused: told(&refused),
            malformed: told(&malformed),
            too_large: told(&too_large),
            forbidden: told(&forbidden),
            accepted: told(&accepted),
        }
    }

    fn expected(&self, row: &Row, outcome: Outcome) -> &Told {
        match outcome {
            Outcome::Refused => &self.refused,
            Outcome::Malformed => &self.malformed,
            Outcome::TooLarge => &self.too_large,
            Outcome::RefusedWhereRead(claim) if row.reads.contains(&claim) => &self.refused,
            Outcome::Forbidden => &self.forbidden,
            Outcome::Accepted(_) | Outcome::RefusedWhereRead(_) => &self.accepted,
        }
    }
}

/// Puts each attack of a group to each endpoint.
async fn hold(group: &str) {
    let (_, rows) = GROUPS.iter().find(|(name, _)| *name == group).unwrap();
    let stage = Box::pin(Stage::start()).await;
    let before = stage.world.items().await;
    let mut surprises = Vec::new();
    for row in secured_rows() {
        let attacks = rows(&stage, row.role.unwrap());
        for way in [Way::Event, Way::Http] {
            let attacks: Vec<_> = attacks.iter().filter(|attack| attack.ways().contains(&way)).collect();
            if attacks.is_empty() {
                continue;
            }
            let answers = Answers::of(&stage, row, way).await;
            for attack in attacks {
                for (number, lines) in attack.tries.iter().enumerate() {
                    let answer = stage.ask(row, attack.keys, way, lines).await;
                    answer.assert_well_formed();
                    if let [line] = lines.as_slice()
                        && let Some(token) = line.strip_prefix("Bearer ")
                    {
                        let app = stage.app(attack.keys);
                        Box::pin(assert_explained(app, token, endpoint(row.route), answer.status)).await;
                    }
                    if told(&answer) != *answers.expected(row, attack.outcome) {
                        surprises.push(format!(
                            "{} with {} ({way:?}, token {number}): {}, not {:?}",
                            row.route, attack.name, answer.status, attack.outcome
                        ));
                    }
                }
            }
        }
    }
    assert!(surprises.is_empty(), "{group}: {surprises:#?}");
    assert_eq!(stage.world.items().await, before, "{group} left a trace in the table");
    let nobody = stage.bait.accept().map_err(|error| error.kind());
    assert_eq!(nobody.unwrap_err(), ErrorKind::WouldBlock, "{group}: somebody took the bait");
}

#[tokio::test]
async fn the_table_of_attacks_is_the_one_that_is_written_down() {
    let stage = Stage::start().await;
    let secured = secured_rows().count();
    let (mut body, mut names, mut tokens, mut cases) = (String::new(), 0, 0, 0);
    for (group, rows) in GROUPS {
        let tested = format!("#[tokio::test]\nasync fn {group}() {{\n    hold(\"{group}\").await;\n}}\n");
        assert!(include_str!("attacks.rs").contains(&tested), "{group} has no test");
        let attacks = rows(&stage, "Admin");
        let row = |attack: &Attack| (attack.name.clone(), attack.outcome, attack.way, attack.tries.len());
        assert!(
            attacks.iter().map(row).eq(rows(&stage, "Customer").iter().map(row)),
            "{group} differs by role"
        );
        let unique: BTreeSet<_> = attacks.iter().map(|attack| &attack.name).collect();
        assert_eq!(unique.len(), attacks.len(), "{group} has a name twice");
        let title = group.replace('_', " ").replace("hmac", "HMAC").replace("json", "JSON");
        let (first, rest) = title.split_at(1);
        body +=
            &format!("\n## {}{rest}\n\n| attack | tokens | answer |\n|---|---|---|\n", first.to_uppercase());
        for attack in attacks {
            let tries = attack.tries.len();
            assert!(tries > 0, "{group}: {} has no token", attack.name);
            names += 1;
            tokens += tries;
            cases += tries * attack.ways().len() * secured;
            let answer = match attack.outcome {
                Outcome::Refused => "401".to_owned(),
                Outcome::Malformed => "400".to_owned(),
                Outcome::TooLarge => "431".to_owned(),
                Outcome::RefusedWhereRead(claim) => format!("401 where `{claim}` is read"),
                Outcome::Forbidden => "403".to_owned(),
                Outcome::Accepted(why) => format!("accepted: {why}"),
            };
            body += &format!("| {} | {tries} | {answer} |\n", attack.name.replace('|', "\\|"));
        }
    }
    let report =
        format!("{names} attacks with {tokens} tokens at {secured} endpoints: {cases} cases\n{body}");
    insta::assert_snapshot!(report);
}
