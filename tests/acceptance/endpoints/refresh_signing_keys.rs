//! `refresh-signing-keys`, against a real HTTPS server with a certification authority of its own.

use std::collections::HashMap;
use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use flate2::Compression;
use flate2::write::GzEncoder;
use refresh_signing_keys::{HttpsClient, Provider, RefreshSigningKeys};
use serde_json::{Value, json};
use shared::clock::Clock;
use shared::http_client::{Proxies, TrustedRoots};
use shared::lambda::ScheduledTask as _;
use shared::table::Table;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use users::local::SigningKey;

use crate::harness::key_pairs::{Ecdsa, Ed25519, KeyPair as _};
use crate::harness::{World, tls_server, until};

/// How long the tests' client waits for a document.
const PATIENCE: Duration = Duration::from_millis(500);

/// An identity provider.
pub struct IdentityProvider {
    pub url: String,
    pub root: String,
    answers: Arc<Mutex<HashMap<String, Vec<u8>>>>,
}

impl IdentityProvider {
    pub async fn start() -> Self {
        let (root, config) = tls_server(tokio_rustls::rustls::DEFAULT_VERSIONS);
        let acceptor = TlsAcceptor::from(config);
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
        let answers = Arc::new(Mutex::new(HashMap::<String, Vec<u8>>::new()));
        let by_path = answers.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, by_path) = (acceptor.clone(), by_path.clone());
                tokio::spawn(async move {
                    let Ok(mut stream) = acceptor.accept(stream).await else { return };
                    let mut head = Vec::new();
                    while !head.ends_with(b"\r\n\r\n") {
                        match stream.read_u8().await {
                            Ok(byte) => head.push(byte),
                            Err(_) => return,
                        }
                    }
                    let head = String::from_utf8(head).unwrap();
                    let path = head.split(' ').nth(1).unwrap().to_owned();
                    let answer = if head.to_ascii_lowercase().contains("\r\nuser-agent: users/") {
                        by_path.lock().unwrap().get(&path).cloned()
                    } else {
                        // As a firewall answers who gives no name.
                        Some(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n".to_vec())
                    };
                    match answer {
                        Some(answer) => {
                            let _ = stream.write_all(&answer).await;
                            let _ = stream.shutdown().await;
                        }
                        // A path without an answer is a server that never answers.
                        None => std::future::pending().await,
                    }
                });
            }
        });
        Self { url, root, answers }
    }

    /// From now on it answers so under a path.
    fn answers(&self, path: &str, status: &str, body: impl AsRef<[u8]>) {
        let body = body.as_ref();
        let mut answer = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes();
        answer.extend_from_slice(body);
        self.answers_raw(path, answer);
    }

    fn answers_raw(&self, path: &str, answer: Vec<u8>) {
        self.answers.lock().unwrap().insert(path.into(), answer);
    }

    pub fn publishes(&self, keys: &[Value]) {
        self.answers("/jwks", "200 OK", json!({ "keys": keys }).to_string());
    }

    fn keys_at(&self, path: &str) -> Provider {
        Provider::KeysAt(format!("{}{path}", self.url).parse().unwrap())
    }

    fn refresher(&self, world: &World, provider: Provider, table: Table) -> RefreshSigningKeys {
        let https = HttpsClient::new(
            TrustedRoots::from_pem(self.root.as_bytes()).unwrap(),
            Proxies::none(),
            PATIENCE,
        );
        RefreshSigningKeys::new(provider, https, table, world.system.clock().clone())
    }

    async fn refresh(&self, world: &World) -> Result<(), String> {
        self.refresh_from(world, self.keys_at("/jwks")).await
    }

    async fn refresh_from(&self, world: &World, provider: Provider) -> Result<(), String> {
        let refreshed = self.refresher(world, provider, world.functions_table()).run().await;
        refreshed.map_err(|error| error.log().unwrap().to_owned())
    }
}

/// The public half of a key of the local system's kind.
pub fn public(key: &SigningKey) -> Value {
    let jwks: Value = serde_json::from_str(&key.jwks()).unwrap();
    jwks["keys"][0].clone()
}

async fn stored(world: &World) -> Value {
    serde_json::from_str(&world.table().signing_keys().await.unwrap().unwrap().jwks).unwrap()
}

/// One refresh that succeeds, through `table`.
pub async fn refresh_once(world: &World, table: Table) {
    let provider = IdentityProvider::start().await;
    provider.publishes(&[public(&world.system.signing_key)]);
    provider.refresher(world, provider.keys_at("/jwks"), table).run().await.unwrap();
}

/// One refresh that fails.
pub async fn refresh_and_fail(world: &World) {
    let provider = IdentityProvider::start().await;
    provider.answers("/jwks", "500 Internal Server Error", "");
    provider.refresh(world).await.unwrap_err();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stores_what_the_provider_publishes_and_renews_the_time() {
    let (world, provider) = (World::start().await, IdentityProvider::start().await);
    let key = SigningKey::generate().unwrap();
    provider.publishes(&[public(&key)]);
    world.clock.advance(Duration::from_mins(5));
    provider.refresh(&world).await.unwrap();
    assert_eq!(stored(&world).await, json!({ "keys": [public(&key)] }));
    world.clock.advance(Duration::from_mins(5));
    provider.refresh(&world).await.unwrap();
    let fetched_at = world.table().signing_keys().await.unwrap().unwrap().fetched_at;
    assert_eq!(fetched_at, world.clock.now());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_refresh_does_not_bring_back_an_older_set() {
    let (world, provider) = (World::start().await, IdentityProvider::start().await);
    let (old, new) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
    // This run began before the other and writes after it.
    let (began, _) = Clock::manual(world.clock.now() + Duration::from_mins(5));
    world.clock.advance(Duration::from_mins(5) + Duration::from_millis(1));
    provider.publishes(&[public(&new)]);
    provider.refresh(&world).await.unwrap();
    provider.publishes(&[public(&old)]);
    let https = HttpsClient::new(
        TrustedRoots::from_pem(provider.root.as_bytes()).unwrap(),
        Proxies::none(),
        PATIENCE,
    );
    let slow = RefreshSigningKeys::new(provider.keys_at("/jwks"), https, world.functions_table(), began);
    slow.run().await.unwrap();
    assert_eq!(stored(&world).await, json!({ "keys": [public(&new)] }));
    let fetched_at = world.table().signing_keys().await.unwrap().unwrap().fetched_at;
    assert_eq!(fetched_at, world.clock.now());
    provider.refresh(&world).await.unwrap();
    assert_eq!(stored(&world).await, json!({ "keys": [public(&old)] }), "a later run counts");

    // What no run can have written does not stop one.
    let day_ahead = "2026-01-03T03:04:05.000Z";
    for fetched_at in [
        json!({ "S": day_ahead }),
        json!({ "S": "soon" }),
        json!({ "S": "" }),
        json!({ "N": "1" }),
        json!({ "NULL": true }),
    ] {
        let item = json!({ "PK": { "S": "SIGNING_KEYS" }, "SK": { "S": "SIGNING_KEYS" },
            "Jwks": { "S": "{}" }, "FetchedAt": fetched_at });
        world.put_item(&item).await;
        provider.refresh(&world).await.unwrap();
        assert_eq!(stored(&world).await, json!({ "keys": [public(&old)] }), "{fetched_at}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keeps_public_signature_keys_of_allowed_types_and_sizes_alone() {
    let (world, provider) = (World::start().await, IdentityProvider::start().await);
    let good = public(&SigningKey::generate().unwrap());
    let with = |changes: Value| {
        let mut key = good.clone();
        key.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        key
    };
    let rsa = |bytes: usize, kid: &str| {
        let n = URL_SAFE_NO_PAD.encode(vec![0xff; bytes]);
        json!({ "kty": "RSA", "n": n, "e": "AQAB", "kid": kid })
    };
    provider.publishes(&[
        json!({ "kty": "oct", "k": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2U", "alg": "HS256", "kid": "symmetric" }),
        with(json!({ "kid": "private", "d": "AAAA" })),
        with(json!({ "kid": "encryption", "use": "enc" })),
        with(json!({ "kid": "another curve", "crv": "secp256k1" })),
        with(json!({ "kid": "another algorithm", "alg": "RS256" })),
        rsa(128, "rsa of 1024 bits"),
        json!("no object"),
        rsa(256, "rsa of 2048 bits"),
        with(json!({ "x5c": ["…"], "extra": true })),
        with(json!({ "x": good["y"], "y": good["x"] })),
    ]);
    provider.refresh(&world).await.unwrap();
    // Of a duplicate `kid` the first counts; of each key what a verifier needs is kept.
    assert_eq!(stored(&world).await, json!({ "keys": [rsa(256, "rsa of 2048 bits"), good] }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn key_sets_are_read_as_providers_write_them() {
    let (world, provider) = (World::start().await, IdentityProvider::start().await);
    let key = public(&SigningKey::generate().unwrap());
    let mut padded = key.clone();
    for name in ["x", "y"] {
        padded[name] = format!("{}=", key[name].as_str().unwrap()).into();
    }
    let rsa = |n: &[u8], e: &[u8]| json!({ "kty": "RSA", "n": URL_SAFE.encode(n), "e": URL_SAFE.encode(e), "kid": "rsa" });
    let with_zeros = rsa(&[&[0][..], &[0xff; 256]].concat(), &[0, 1, 0, 1]);
    let plain = json!({ "kty": "RSA", "n": URL_SAFE_NO_PAD.encode([0xff; 256]), "e": "AQAB", "kid": "rsa" });
    // Coordinates as numbers: without the zeros before them, or with one more.
    let numbers = |key: &Value, bytes: fn(Vec<u8>) -> Vec<u8>| {
        let mut numbers = key.clone();
        for name in ["x", "y"] {
            let coordinate = URL_SAFE_NO_PAD.decode(key[name].as_str().unwrap()).unwrap();
            numbers[name] = URL_SAFE_NO_PAD.encode(bytes(coordinate)).into();
        }
        numbers
    };
    let mut generated = std::iter::repeat_with(|| public(&SigningKey::generate().unwrap()));
    let starts_with_zero = |key: &Value| URL_SAFE_NO_PAD.decode(key["x"].as_str().unwrap()).unwrap()[0] == 0;
    let small = generated.find(starts_with_zero).unwrap();
    let large = Ecdsa::es384().jwk();
    let large_longer = numbers(&large, |bytes| [vec![0], bytes].concat());
    // These 32 bytes are no number.
    let edwards = std::iter::repeat_with(|| Ed25519::new().jwk()).find(starts_with_zero).unwrap();
    let stripped = numbers(&small, |bytes| bytes.into_iter().skip_while(|byte| *byte == 0).collect());
    let small_too = json!({ "kid": "longer", "kty": "EC", "crv": "P-256", "x": small["x"], "y": small["y"] });
    let longer = numbers(&small_too, |bytes| [vec![0], bytes].concat());
    let set = json!({ "keys": [padded, with_zeros, stripped, longer, large_longer, edwards] }).to_string();

    let compressed = |text: &str| {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        gzip.write_all(text.as_bytes()).unwrap();
        gzip.finish().unwrap()
    };
    let gzip = compressed(&set);
    // RFC 1952, section 2.2.
    let members = [compressed(&set[..20]), compressed(&set[20..])].concat();
    let answer = |headers: &str, body: &[u8]| {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n{headers}\r\n", body.len());
        provider.answers_raw("/jwks", [head.as_bytes(), body].concat());
    };
    for (headers, body) in [
        ("", set.as_bytes()),
        ("Content-Type: application/jwk-set+json\r\n", set.as_bytes()),
        ("Content-Type: text/plain; charset=us-ascii\r\n", set.as_bytes()),
        ("", format!("\u{feff}{set}").as_bytes()),
        ("Content-Encoding: gzip\r\n", &gzip),
        ("content-encoding: X-GZIP\r\n", &gzip),
        ("Content-Encoding: gzip\r\n", &members),
        ("Content-Encoding: \r\n", set.as_bytes()),
    ] {
        world.delete_item("SIGNING_KEYS", "SIGNING_KEYS").await;
        answer(headers, body);
        provider.refresh(&world).await.unwrap();
        assert_eq!(
            stored(&world).await,
            json!({ "keys": [key, plain, small, small_too, large, edwards] }),
            "{headers}"
        );
    }

    // A small answer can decompress to a large one.
    let mut bomb = GzEncoder::new(Vec::new(), Compression::best());
    bomb.write_all(format!("{}{set}", " ".repeat(10_000_000)).as_bytes()).unwrap();
    let bomb = bomb.finish().unwrap();
    for (headers, body, why) in [
        ("Content-Encoding: br\r\n", &gzip, "answered in an encoding that is not gzip"),
        ("Content-Encoding: gzip\r\n", &bomb, "answered with a body that is too large or ended early"),
        (
            "Content-Encoding: gzip\r\n",
            &gzip[..30].to_vec(),
            "answered with gzip that cannot be decompressed",
        ),
    ] {
        answer(headers, body);
        assert_eq!(provider.refresh(&world).await, Err(format!("localhost {why}")));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rotation_with_and_without_overlap() {
    let (world, provider) = (World::start().await, IdentityProvider::start().await);
    let (old, new) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
    let status = async |key: &SigningKey| {
        let token = format!("Bearer {}", key.sign(&world.payload()));
        world.get("/api/users/organizations").bearer(token).send().await.status
    };
    provider.publishes(&[public(&old)]);
    provider.refresh(&world).await.unwrap();
    world.clock.advance(Duration::from_secs(10));
    assert_eq!((status(&old).await, status(&new).await), (200, 401));

    // With overlap: the new key counts as soon as it is stored, the old one still.
    provider.publishes(&[public(&old), public(&new)]);
    provider.refresh(&world).await.unwrap();
    world.clock.advance(Duration::from_secs(10));
    assert_eq!((status(&new).await, status(&old).await), (200, 200));

    // The old key is withdrawn: it stops counting when the functions read the keys again.
    provider.publishes(&[public(&new)]);
    provider.refresh(&world).await.unwrap();
    world.clock.advance(Duration::from_mins(5));
    assert_eq!((status(&new).await, status(&old).await), (200, 401));

    // Without overlap: the next key counts at once, the one before no longer.
    provider.publishes(&[public(&old)]);
    provider.refresh(&world).await.unwrap();
    world.clock.advance(Duration::from_secs(10));
    assert_eq!((status(&old).await, status(&new).await), (200, 401));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_the_provider_does_wrong_the_stored_keys_stay() {
    let (world, provider) = (World::start().await, IdentityProvider::start().await);
    let good = json!({ "keys": [public(&world.system.signing_key)] });
    let before = world.table().signing_keys().await.unwrap();
    world.clock.advance(Duration::from_mins(1));

    let set = good.to_string();
    provider.answers("/500", "500 Internal Server Error", &set);
    provider.answers("/404", "404 Not Found", &set);
    provider.answers("/html", "200 OK", "<!doctype html><title>Maintenance</title>");
    provider.answers("/empty", "200 OK", r#"{"keys":[]}"#);
    provider.answers("/no-set", "200 OK", "{}");
    provider.answers("/binary", "200 OK", [0xff; 20]);
    provider.answers("/huge", "200 OK", format!("{}{set}", " ".repeat(300 * 1024)));
    let redirect =
        format!("HTTP/1.1 302 Found\r\nLocation: {}/jwks\r\nContent-Length: 0\r\n\r\n", provider.url);
    provider.answers("/jwks", "200 OK", &set);
    provider.answers_raw("/redirect", redirect.into_bytes());
    let truncated =
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{}", set.len(), &set[..set.len() / 2]);
    provider.answers_raw("/truncated", truncated.into_bytes());

    for (path, why) in [
        ("/500", "localhost answered with status 500 and not 200"),
        ("/404", "localhost answered with status 404 and not 200"),
        ("/redirect", "localhost answered with status 302 and not 200"),
        ("/html", "the provider's key set is not a JWK Set"),
        ("/no-set", "the provider's key set is not a JWK Set"),
        ("/empty", "the provider's key set has no usable key"),
        ("/binary", "localhost answered with a body that is not UTF-8"),
        ("/huge", "localhost answered with a body that is too large or ended early"),
        ("/truncated", "localhost answered with a body that is too large or ended early"),
        ("/never", "localhost did not answer in time"),
    ] {
        let refused = provider.refresh_from(&world, provider.keys_at(path)).await;
        assert_eq!(refused, Err(why.to_owned()), "{path}");
        assert_eq!(world.table().signing_keys().await.unwrap(), before, "{path}");
    }
    let down = Provider::KeysAt("https://localhost:1/jwks".parse().unwrap());
    let refused = provider.refresh_from(&world, down).await.unwrap_err();
    assert!(refused.starts_with("localhost could not be reached over HTTPS: no connection: "), "{refused}");
    assert!(refused.contains("Connection refused"), "{refused}");
    // A server whose certificate nobody vouches for is not the provider.
    let stranger = IdentityProvider::start().await;
    stranger.answers("/jwks", "200 OK", &set);
    let unknown_root = provider.refresh_from(&world, stranger.keys_at("/jwks")).await.unwrap_err();
    assert!(unknown_root.contains("invalid peer certificate: "), "{unknown_root}");
    assert_eq!(world.table().signing_keys().await.unwrap(), before);
    // And all the while nobody is locked out.
    world.get("/api/users/organizations").bearer(world.signed(&world.payload())).send().await.assert_ok(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_key_address_is_discovered_and_the_issuer_must_match() {
    let (world, provider) = (World::start().await, IdentityProvider::start().await);
    let key = SigningKey::generate().unwrap();
    provider.publishes(&[public(&key)]);
    let document = |issuer: &str, jwks_uri: &str| {
        let document = json!({ "issuer": issuer, "jwks_uri": jwks_uri });
        provider.answers("/.well-known/openid-configuration", "200 OK", document.to_string());
    };
    let jwks_uri = format!("{}/jwks", provider.url);
    let refresh = async || provider.refresh_from(&world, Provider::Issuer(provider.url.clone())).await;

    document("https://elsewhere.example.com", &jwks_uri);
    assert_eq!(refresh().await, Err("the provider's discovery document is another issuer's".into()));
    document(&provider.url, "http://localhost/jwks");
    assert_eq!(refresh().await, Err("the provider's jwks_uri must be an https:// address".into()));
    document(&provider.url, &jwks_uri);
    refresh().await.unwrap();
    assert_eq!(stored(&world).await, json!({ "keys": [public(&key)] }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_unknown_key_ids_costs_one_read_a_cool_down() {
    let reads = Arc::new(Mutex::new(0));
    let count = reads.clone();
    let world = World::start_observed(Arc::new(move |function, operation, body| {
        let body: Value = serde_json::from_slice(body).unwrap();
        if function == "list-organizations"
            && operation == "GetItem"
            && body["Key"]["PK"]["S"] == "SIGNING_KEYS"
        {
            *count.lock().unwrap() += 1;
        }
    }))
    .await;
    let taken = || std::mem::take(&mut *reads.lock().unwrap());
    assert_eq!(taken(), 1, "the read at start-up");
    let flood = async || {
        let calls = (0..20).map(|_| {
            let token = format!("Bearer {}", SigningKey::generate().unwrap().sign(&world.payload()));
            world.get("/api/users/organizations").bearer(token).send()
        });
        for answer in futures_util::future::join_all(calls).await {
            answer.assert_problem(401);
        }
    };
    flood().await;
    assert_eq!(taken(), 0, "still cooling down from the start");
    world.clock.advance(Duration::from_secs(10));
    flood().await;
    assert_eq!(taken(), 1);
    flood().await;
    assert_eq!(taken(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_load_a_rotation_with_overlap_refuses_nobody() {
    let world = World::start().await;
    let provider = IdentityProvider::start().await;
    let mut old = SigningKey::generate().unwrap();
    provider.publishes(&[public(&old)]);
    provider.refresh(&world).await.unwrap();
    world.clock.advance(Duration::from_secs(10));

    let token = |key: &SigningKey| format!("Bearer {}", key.sign(&world.payload()));
    let (current, _) = watch::channel(Some(token(&old)));
    let answered = AtomicUsize::new(0);
    let call_on = async || {
        let mut current = current.subscribe();
        loop {
            let Some(token) = current.borrow_and_update().clone() else { return };
            world.get("/api/users/organizations").bearer(token).send().await.assert_ok(200);
            answered.fetch_add(1, Ordering::SeqCst);
        }
    };
    let rotate = async {
        for _ in 0..5 {
            let new = SigningKey::generate().unwrap();
            let some_more = async |calls: usize| {
                let then = answered.load(Ordering::SeqCst) + calls;
                until("more answers", async || answered.load(Ordering::SeqCst) >= then).await;
            };
            provider.publishes(&[public(&old), public(&new)]);
            provider.refresh(&world).await.unwrap();
            world.clock.advance(Duration::from_mins(5));
            some_more(20).await;
            current.send_replace(Some(token(&new)));
            // Whoever had the old token has used it by now.
            some_more(20).await;
            provider.publishes(&[public(&new)]);
            provider.refresh(&world).await.unwrap();
            world.clock.advance(Duration::from_mins(5));
            some_more(20).await;
            old = new;
        }
        current.send_replace(None);
    };
    tokio::join!(rotate, call_on(), call_on(), call_on(), call_on());
    assert!(answered.load(Ordering::SeqCst) >= 5 * 60);
}
