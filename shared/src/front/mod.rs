//! What stands in front of the functions, and what it says of the client.
//!
//! An HTTP API alone knows the client's address. Behind CloudFront or another proxy, API Gateway sees that proxy, so a
//! header of the proxy's names the client. A caller could write the same header. So it counts only in a request that
//! proves, by a secret in the header `X-Origin-Verify`, that it came through the front. Any other request is refused.

mod secrets;
mod settings;

use std::net::{IpAddr, SocketAddr};

use futures_util::FutureExt as _;
use lambda_http::http::header::HeaderName;

use crate::aws::{Client, GetSecretValue, Service, from_sdk_error};
use crate::clock::Clock;
use crate::error::{Error, ErrorKind};
use crate::http::Request;
use crate::model::ClientAddress;
use crate::refreshed::Refreshed;

use secrets::Secrets;
pub use settings::FrontSettings;

/// The header with which a front proves itself.
const PROOF: HeaderName = HeaderName::from_static("x-origin-verify");
/// CloudFront's header with the client's address.
const CLOUDFRONT_VIEWER_ADDRESS: HeaderName = HeaderName::from_static("cloudfront-viewer-address");

/// Lets requests in, and knows whose they are.
pub struct Front(Option<Proxy>);

/// A proxy that everybody must come through.
struct Proxy {
    address_header: HeaderName,
    client: Client,
    secret_id: String,
    secrets: Refreshed<Secrets>,
}

/// Who sent a request that was let in.
pub struct Visitor<'a> {
    request: &'a Request,
    address_header: Option<&'a HeaderName>,
}

impl Front {
    /// The front of the settings; without them, API Gateway itself. Its secrets are read as the user of `client`.
    #[must_use]
    pub fn new(settings: Option<FrontSettings>, client: &Client, clock: Clock) -> Self {
        Self(settings.map(|settings| Proxy {
            address_header: settings.address_header,
            client: client.for_service(Service::SecretsManager, settings.endpoint_url),
            secret_id: settings.secret_id,
            secrets: Refreshed::new("the front's secrets", settings.max_age, clock),
        }))
    }

    /// Reads the front's secrets, if it has some, before the first request.
    pub async fn warm_up(&self) -> Result<(), Error> {
        let Some(proxy) = &self.0 else { return Ok(()) };
        proxy.secrets.refresh(proxy.read().boxed()).await.map(drop)
    }

    /// Lets a request in that came through the front.
    ///
    /// # Errors
    /// [`ErrorKind::NotThroughFront`], or [`ErrorKind::Unavailable`] if no secret is known and none can be read. If
    /// known secrets cannot be read again, they stay valid.
    pub async fn admit<'a>(&'a self, request: &'a Request) -> Result<Visitor<'a>, Error> {
        let Some(proxy) = &self.0 else { return Ok(Visitor { request, address_header: None }) };
        let refused = |why| Err(Error::from(ErrorKind::NotThroughFront).logging(why));
        let Some(proof) = request.header(&PROOF) else {
            return refused("the request has no X-Origin-Verify");
        };
        // A secret that is not known may be a new one.
        let secrets = proxy.secrets.get(|secrets| secrets.accept(&proof), || proxy.read().boxed()).await?;
        if !secrets.accept(&proof) {
            return refused("the request's X-Origin-Verify is wrong");
        }
        Ok(Visitor { request, address_header: Some(&proxy.address_header) })
    }
}

impl Proxy {
    async fn read(&self) -> Result<Secrets, Error> {
        let secret = self.client.call(Ok(GetSecretValue { secret_id: self.secret_id.clone() })).await;
        let secret = secret.map_err(|error| from_sdk_error("GetSecretValue", &error))?;
        Secrets::parse(&secret.secret_string)
            .map_err(|why| Error::unavailable(format!("the secret of FRONT_SECRET_ID {why}")))
    }
}

impl Visitor<'_> {
    /// The client's address, by whoever stands in front.
    pub fn address(&self) -> Result<ClientAddress, Error> {
        let Some(header) = self.address_header else {
            let address = self.request.source_ip().and_then(|address| address.parse().ok());
            return address.ok_or_else(|| Error::defect("the event's sourceIp is no IP address"));
        };
        let address = self.request.header(header);
        address
            .and_then(|text| address_in(header, &text))
            .ok_or_else(|| Error::defect(format!("the front's header {header} is no IP address")))
    }
}

/// The address in a header: alone, or with a port.
///
/// CloudFront always writes a port, also after an IPv6 address without brackets. There the last group must not be taken
/// for a part of the address. Any other front must put brackets around an IPv6 address that a port follows.
fn address_in(header: &HeaderName, text: &str) -> Option<ClientAddress> {
    let text = text.trim();
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Some(address.ip().into());
    }
    if *header != CLOUDFRONT_VIEWER_ADDRESS {
        return text.parse::<IpAddr>().ok().map(Into::into);
    }
    let (address, port) = text.rsplit_once(':')?;
    port.parse::<u16>().ok()?;
    address.parse::<IpAddr>().ok().map(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(header: &str, text: &str) -> Option<String> {
        address_in(&header.parse().unwrap(), text).map(|client| client.to_string())
    }

    #[test]
    fn the_address_is_read_in_each_form() {
        let cloudfront = |text| client("CloudFront-Viewer-Address", text);
        for (text, due) in [
            ("203.0.113.7:46532", "203.0.113.7"),
            ("[2001:db8:1:2::9]:443", "2001:db8:1:2::/64"),
            ("2001:db8:1:2::9:443", "2001:db8:1:2::/64"),
            ("2001:db8:1:2:3:4:5:6:65535", "2001:db8:1:2::/64"),
            // With the port taken for a group, this would be the network 2001:db8:0:4.
            ("2001:db8::4:5:6:7:443", "2001:db8::/64"),
            ("::ffff:203.0.113.7:443", "203.0.113.7"),
            ("[::ffff:203.0.113.7]:443", "203.0.113.7"),
        ] {
            assert_eq!(cloudfront(text).as_deref(), Some(due), "{text}");
        }
        for text in [
            "",
            "203.0.113.7",
            "203.0.113.7:",
            "203.0.113.7:99999",
            "a.example:443",
            "203.0.113.7:1,203.0.113.8:1",
        ] {
            assert_eq!(cloudfront(text), None, "{text}");
        }

        let other = |text| client("True-Client-IP", text);
        for (text, due) in [
            ("203.0.113.7", "203.0.113.7"),
            (" 203.0.113.7:80 ", "203.0.113.7"),
            ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
            ("[2001:db8:1:2::9]:443", "2001:db8:1:2::/64"),
        ] {
            assert_eq!(other(text).as_deref(), Some(due), "{text}");
        }
        for text in ["", "203.0.113.7,203.0.113.8", "203.0.113.7, 203.0.113.8", "unknown", "[2001:db8::9]"] {
            assert_eq!(other(text), None, "{text}");
        }
    }
}
