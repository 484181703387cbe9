//! The settings about what stands in front of the functions.

use std::time::Duration;

use lambda_http::http::header::HeaderName;

use super::PROOF;
use crate::settings::SettingsReader;

/// Headers that hold a list, to which each proxy adds.
const LISTS: [&str; 3] = ["forwarded", "via", "x-forwarded-for"];

/// A front that everybody must come through.
pub struct FrontSettings {
    /// `CLIENT_ADDRESS_HEADER`: the front's header with the client's address.
    pub address_header: HeaderName,
    /// `FRONT_SECRET_ID`: the ARN or name of the secret in Secrets Manager.
    pub secret_id: String,
    /// `FRONT_SECRET_MAX_AGE_SECONDS`: how old the secrets may be before they are read again; 300.
    pub max_age: Duration,
    /// `AWS_ENDPOINT_URL_SECRETS_MANAGER`, else `AWS_ENDPOINT_URL`: where Secrets Manager answers; the region's
    /// endpoint.
    pub endpoint_url: Option<String>,
}

impl FrontSettings {
    /// Reads the settings. `None` if API Gateway itself is the front, or if one is wrong.
    pub fn read(reader: &mut SettingsReader<'_>) -> Option<Self> {
        const BOTH: &str = "CLIENT_ADDRESS_HEADER and FRONT_SECRET_ID";
        let max_age = reader.number("FRONT_SECRET_MAX_AGE_SECONDS", 300, 1, 86_400);
        let (header, secret_id) =
            match (reader.optional("CLIENT_ADDRESS_HEADER"), reader.optional("FRONT_SECRET_ID")) {
                (None, None) => return None,
                (Some(header), Some(secret_id)) => (header, secret_id),
                _ => {
                    reader.report(BOTH, "must be given together");
                    return None;
                }
            };
        let address_header = HeaderName::try_from(header).ok();
        let Some(address_header) = address_header.filter(|header| *header != PROOF) else {
            reader.report("CLIENT_ADDRESS_HEADER", "must be a header's name");
            return None;
        };
        if LISTS.contains(&address_header.as_str()) {
            reader.report("CLIENT_ADDRESS_HEADER", "must be a header with one address, not with a list");
        }
        let endpoint_url = reader.optional("AWS_ENDPOINT_URL_SECRETS_MANAGER");
        Some(Self {
            address_header,
            secret_id,
            max_age: Duration::from_secs(max_age),
            endpoint_url: endpoint_url.or_else(|| reader.optional("AWS_ENDPOINT_URL")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Option<FrontSettings>, String> {
        let mut reader = SettingsReader::new(|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        });
        let settings = FrontSettings::read(&mut reader);
        reader.finish(Some(settings)).map_err(|error| error.to_string())
    }

    #[test]
    fn a_front_is_a_header_and_a_secret() {
        let (header, secret) =
            (("CLIENT_ADDRESS_HEADER", "CloudFront-Viewer-Address"), ("FRONT_SECRET_ID", "front"));
        assert!(read(&[]).unwrap().is_none());
        assert!(read(&[("CLIENT_ADDRESS_HEADER", ""), ("FRONT_SECRET_ID", " ")]).unwrap().is_none());
        let front = read(&[header, secret]).unwrap().unwrap();
        assert_eq!(front.address_header, "cloudfront-viewer-address");
        assert_eq!((front.secret_id.as_str(), front.max_age.as_secs()), ("front", 300));
        for (variables, why) in [
            (&[header] as &[_], "CLIENT_ADDRESS_HEADER and FRONT_SECRET_ID must be given together"),
            (&[secret], "CLIENT_ADDRESS_HEADER and FRONT_SECRET_ID must be given together"),
            (&[("CLIENT_ADDRESS_HEADER", "a b"), secret], "CLIENT_ADDRESS_HEADER must be a header's name"),
            (
                &[("CLIENT_ADDRESS_HEADER", "X-Origin-Verify"), secret],
                "CLIENT_ADDRESS_HEADER must be a header's name",
            ),
            (
                &[("CLIENT_ADDRESS_HEADER", "X-Forwarded-For"), secret],
                "CLIENT_ADDRESS_HEADER must be a header with one address, not with a list",
            ),
            (
                &[header, secret, ("FRONT_SECRET_MAX_AGE_SECONDS", "0")],
                "FRONT_SECRET_MAX_AGE_SECONDS must be a whole number from 1 to 86400",
            ),
        ] {
            assert_eq!(read(variables).err().unwrap(), format!("wrong settings: {why}"));
        }
    }
}
