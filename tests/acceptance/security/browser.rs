//! What web pages and other machines get from each listener of the local system. `.ci/console` has a browser ask.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use hyper::HeaderMap;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use users::local::{LocalSystem, Options, TokenClaims};
use yaml_rust2::YamlLoader;

use crate::endpoints::contract::to_json;
use crate::harness::{ACME, JANE};

const EXISTS: &str = "GET /api/users/exists?Email=jane%40example.com";
const LIST_TABLES: &str = "POST /";
const LOCAL_PAGE: &str = "http://localhost:5173";
const FOREIGN_PAGE: &str = "https://evil.example";

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    fn cors_headers(&self) -> Vec<&str> {
        self.headers
            .keys()
            .map(hyper::header::HeaderName::as_str)
            .filter(|name| name.starts_with("access-control-"))
            .collect()
    }
}

/// Sends a request as it stands. `Host` is localhost unless a header says otherwise.
async fn ask(address: SocketAddr, request: &str, headers: &[(&str, &str)]) -> Answer {
    ask_with(address, request, headers, "{}").await
}

async fn ask_with(address: SocketAddr, request: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let host = if headers.iter().any(|(name, _)| *name == "Host") { "" } else { "Host: localhost\r\n" };
    let lines =
        headers.iter().fold(String::new(), |lines, (name, value)| lines + name + ": " + value + "\r\n");
    // DynamoDB's operation; the API does not look at these.
    let operation = format!(
        "X-Amz-Target: DynamoDB_20120810.ListTables\r\nX-Amz-Date: 20260102T030405Z\r\n\
         Content-Type: application/x-amz-json-1.0\r\nContent-Length: {}\r\n",
        body.len()
    );
    let credentials = if headers.iter().any(|(name, _)| *name == "Authorization") {
        ""
    } else {
        "Authorization: AWS4-HMAC-SHA256 Credential=local/20260102/us-east-1/dynamodb/aws4_request, \
         SignedHeaders=host, Signature=0\r\n"
    };
    let head =
        format!("{request} HTTP/1.1\r\n{host}{lines}{operation}{credentials}Connection: close\r\n\r\n{body}");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(": ").unwrap();
        let name: hyper::header::HeaderName = name.parse().unwrap();
        headers.append(name, value.parse().unwrap());
    }
    Answer { status, headers, body: body.to_owned() }
}

/// A system with a DynamoDB API of its own, whatever this run's engine is.
async fn start(options: Options) -> (LocalSystem, SocketAddr) {
    let system = LocalSystem::start(options).await.unwrap();
    let dynamodb = system.dynamodb_url.strip_prefix("http://").unwrap().parse().unwrap();
    (system, dynamodb)
}

#[tokio::test]
async fn no_listener_answers_a_foreign_page_or_a_foreign_name() {
    let (system, dynamodb) = start(Options::default()).await;
    let api = system.api_address;
    let targets = [
        (api, EXISTS),
        (api, "GET /"),
        (api, "GET /console/users"),
        (api, "GET /console/console.css"),
        (api, "GET /openapi.yaml"),
        (api, "GET /healthz"),
        (api, "GET /nothing"),
        (dynamodb, LIST_TABLES),
        (dynamodb, "GET /"),
    ];
    let foreign: &[&[(&str, &str)]] = &[
        &[("Host", "evil.example")],
        &[("Host", "localhost.evil.example:3000")],
        &[("Host", "evil.example"), ("Origin", "http://evil.example")],
        &[("Origin", FOREIGN_PAGE)],
        &[("Origin", "null")],
        &[("Origin", "http://localhost.evil.example")],
        &[("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "no-cors")],
    ];
    for (address, request) in targets {
        for headers in foreign {
            let answer = ask(address, request, headers).await;
            assert_eq!(answer.status, 403, "{request} {headers:?} {}", answer.body);
            assert_eq!(answer.cors_headers(), [""; 0], "{request} {headers:?}");
        }
        let (_, path) = request.split_once(' ').unwrap();
        let preflight = [("Origin", FOREIGN_PAGE), ("Access-Control-Request-Method", "POST")];
        let answer = ask(address, &format!("OPTIONS {path}"), &preflight).await;
        assert_eq!(answer.status, 403, "{path} {}", answer.body);
        assert_eq!(answer.cors_headers(), [""; 0], "{path}");
    }
    // The same requests by this machine's programs are answered.
    assert_eq!(ask(api, EXISTS, &[]).await.status, 200);
    let tables = ask(dynamodb, LIST_TABLES, &[]).await;
    assert_eq!(serde_json::from_str::<Value>(&tables.body).unwrap(), json!({ "TableNames": ["users"] }));
}

#[tokio::test]
async fn the_local_dynamodb_answers_as_dynamodb_does() {
    let (_system, dynamodb) = start(Options::default()).await;
    for other in ["GET /", "POST /other"] {
        assert_eq!(ask(dynamodb, other, &[]).await.status, 404, "{other}");
    }
    let without_credentials = ask(dynamodb, LIST_TABLES, &[("Authorization", "")]).await;
    assert_eq!(without_credentials.status, 400);
    assert!(without_credentials.body.contains("Authentication"), "{}", without_credentials.body);
    // At most 16 MiB ("Service, account, and table quotas").
    for (length, status) in [(16 << 20, 200), ((16 << 20) + 1, 413)] {
        let body = format!("{{{}}}", " ".repeat(length - 2));
        assert_eq!(ask_with(dynamodb, LIST_TABLES, &[], &body).await.status, status, "{length}");
    }
}

#[tokio::test]
async fn another_local_server_gets_nothing_from_console_or_dynamodb() {
    let (system, dynamodb) = start(Options::default()).await;
    for (address, request) in [
        (system.api_address, "GET /"),
        (system.api_address, "GET /console/users"),
        (dynamodb, LIST_TABLES),
        (dynamodb, "OPTIONS /"),
    ] {
        let headers = [("Origin", LOCAL_PAGE), ("Access-Control-Request-Method", "POST")];
        let answer = ask(address, request, &headers).await;
        assert_eq!(answer.status, 403, "{request} {}", answer.body);
        assert_eq!(answer.cors_headers(), [""; 0], "{request}");
    }
}

#[tokio::test]
async fn the_api_answers_cors_as_the_template_configures_it() {
    let template = include_str!("../../../template.yaml");
    let cors = template.split_once("x-amazon-apigateway-cors: !If").unwrap().1;
    let of_template = |name: &str| {
        let (_, rest) = cors.split_once(&format!("{name}: ")).unwrap();
        rest.lines().next().unwrap().trim_matches(['[', ']']).replace(", ", ",")
    };
    let allowed = "https://app.example.com";
    let options = Options { allowed_origins: vec![allowed.parse().unwrap()], ..Options::default() };
    let (system, _) = start(options).await;
    for origin in [LOCAL_PAGE, "http://127.0.0.1:8080", "http://[::1]:1", allowed] {
        for path in ["/api/users", "/api/users/profile", "/nothing"] {
            let headers = [
                ("Origin", origin),
                ("Access-Control-Request-Method", "POST"),
                ("Access-Control-Request-Headers", "authorization,content-type"),
            ];
            let preflight = ask(system.api_address, &format!("OPTIONS {path}"), &headers).await;
            assert_eq!((preflight.status, &*preflight.body), (204, ""), "{origin} {path}");
            for (header, value) in [
                ("access-control-allow-origin", origin.to_owned()),
                ("access-control-allow-methods", of_template("allowMethods")),
                ("access-control-allow-headers", of_template("allowHeaders")),
                ("access-control-expose-headers", of_template("exposeHeaders")),
                ("access-control-max-age", of_template("maxAge")),
                ("vary", "Origin".to_owned()),
            ] {
                assert_eq!(preflight.header(header), Some(&*value), "{origin} {path} {header}");
            }
            assert_eq!(preflight.header("access-control-allow-credentials"), None);
        }
        let claims =
            TokenClaims { user_id: JANE.into(), organization_id: ACME.into(), ..TokenClaims::default() };
        let without_role = format!("Bearer {}", system.token(&claims));
        for (request, authorization, status) in [
            (EXISTS, "none", 200),
            ("GET /api/users/exists", "none", 400),
            ("GET /api/users/profile", "none", 401),
            ("GET /api/users/profile", &*without_role, 403),
            ("GET /nothing", "none", 404),
            ("GET /openapi.json", "none", 200),
        ] {
            let headers = [("Origin", origin), ("Authorization", authorization)];
            let answer = ask(system.api_address, request, &headers).await;
            assert_eq!(answer.status, status, "{request} {}", answer.body);
            assert_eq!(answer.header("access-control-allow-origin"), Some(origin), "{request}");
            let exposed = answer.header("access-control-expose-headers");
            assert_eq!(exposed, Some(&*of_template("exposeHeaders")), "{request}");
            assert_eq!(answer.header("vary"), Some("Origin"), "{request}");
            assert_eq!(answer.header("access-control-allow-methods"), None, "{request}");
        }
    }
    // A preflight request is what has all that makes one.
    for headers in [[("Origin", LOCAL_PAGE)], [("Access-Control-Request-Method", "POST")]] {
        assert_eq!(ask(system.api_address, "OPTIONS /api/users", &headers).await.status, 404, "{headers:?}");
    }
    // A cache must not give a page what was answered to a program.
    let without_origin = ask(system.api_address, "GET /openapi.json", &[]).await;
    assert_eq!((without_origin.cors_headers().len(), without_origin.header("vary")), (0, Some("Origin")));
}

#[tokio::test]
async fn without_cors_pages_get_no_headers_and_preflights_no_answer() {
    let (system, _) = start(Options { cors: false, ..Options::default() }).await;
    let preflight = [("Origin", LOCAL_PAGE), ("Access-Control-Request-Method", "POST")];
    let preflight = ask(system.api_address, "OPTIONS /api/users", &preflight).await;
    assert_eq!((preflight.status, preflight.cors_headers().len()), (404, 0));
    // A development server that passes requests on passes its page's origin on, too.
    let answer = ask(system.api_address, EXISTS, &[("Origin", LOCAL_PAGE)]).await;
    assert_eq!((answer.status, answer.cors_headers().len(), answer.header("vary")), (200, 0, None));
    assert_eq!(ask(system.api_address, EXISTS, &[("Origin", FOREIGN_PAGE)]).await.status, 403);
}

#[tokio::test]
async fn localhost_leads_to_both_servers_in_either_family() {
    let (system, dynamodb) = start(Options::default()).await;
    let has_ipv6 = std::net::TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok();
    let families = [Some(IpAddr::from(Ipv4Addr::LOCALHOST)), has_ipv6.then_some(Ipv6Addr::LOCALHOST.into())];
    for family in families.into_iter().flatten() {
        let api = SocketAddr::new(family, system.api_address.port());
        let dynamodb = SocketAddr::new(family, dynamodb.port());
        for host in ["localhost", "[::1]", "127.0.0.1"] {
            assert_eq!(ask(api, EXISTS, &[("Host", host)]).await.status, 200, "{family} {host}");
            assert_eq!(ask(dynamodb, LIST_TABLES, &[("Host", host)]).await.status, 200, "{family} {host}");
        }
    }
}

/// Linux has all of 127.0.0.0/8, so 127.0.0.2 stands for another of the machine's addresses.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn dynamodb_stays_on_loopback_whatever_the_host_is() {
    let host = IpAddr::from(Ipv4Addr::new(127, 0, 0, 2));
    let (system, dynamodb) = start(Options { host, ..Options::default() }).await;
    assert_eq!(system.api_address.ip(), host);
    assert_eq!(ask(system.api_address, EXISTS, &[]).await.status, 200);
    let on_localhost = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), system.api_address.port());
    assert_eq!(ask(on_localhost, "GET /console/users", &[]).await.status, 200);
    assert_eq!(dynamodb.ip(), Ipv4Addr::LOCALHOST);
    assert!(TcpStream::connect((host, dynamodb.port())).await.is_err());
}

#[tokio::test]
async fn the_contract_is_served_in_yaml_and_in_json() {
    let (system, _) = start(Options::default()).await;
    let yaml = ask(system.api_address, "GET /openapi.yaml", &[]).await;
    assert_eq!((yaml.status, yaml.header("content-type")), (200, Some("application/yaml")));
    assert_eq!(yaml.body, include_str!("../../../openapi.yaml"));
    let json = ask(system.api_address, "GET /openapi.json", &[]).await;
    assert_eq!((json.status, json.header("content-type")), (200, Some("application/json")));
    let json: Value = serde_json::from_str(&json.body).unwrap();
    assert_eq!(json, to_json(&YamlLoader::load_from_str(&yaml.body).unwrap()[0]));
}

#[tokio::test]
async fn healthz_tells_whether_the_table_answers() {
    let (table, _) = start(Options::default()).await;
    let (system, _) =
        start(Options { dynamodb_url: Some(table.dynamodb_url.clone()), ..Options::default() }).await;
    let well = ask(system.api_address, "GET /healthz", &[]).await;
    assert_eq!((well.status, &*well.body), (200, r#"{"status":"ok"}"#));
    table.stop().await;
    let ill = ask(system.api_address, "GET /healthz", &[]).await;
    assert_eq!(ill.status, 503, "{}", ill.body);
}
