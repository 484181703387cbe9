//! The services that are called, and where each answers.

use aws_sdk_dynamodb::config::endpoint::{DefaultResolver, Params, ResolveEndpoint as _};
use aws_sdk_dynamodb::error::BoxError;

/// A service of AWS.
#[derive(Clone, Copy)]
pub enum Service {
    /// The table.
    DynamoDb,
    /// The front's secrets.
    SecretsManager,
}

/// Where a service answers.
pub(super) struct Endpoint {
    pub(super) url: String,
    /// The region that signatures name, if the rules say so.
    pub(super) signing_region: Option<String>,
}

impl Service {
    /// The service's name in the scope of a signature.
    pub(super) const fn signing_name(self) -> &'static str {
        match self {
            Self::DynamoDb => "dynamodb",
            Self::SecretsManager => "secretsmanager",
        }
    }

    /// Where the service answers, by the SDK's rules for DynamoDB. The other service has the same hosts, except for
    /// their first label (AWS General Reference, "AWS Secrets Manager endpoints and quotas").
    pub(super) fn endpoint(self, parameters: &Params) -> Result<Endpoint, BoxError> {
        // It is ready at once: the rules are compiled in.
        let endpoint =
            futures_util::FutureExt::now_or_never(DefaultResolver::new().resolve_endpoint(parameters));
        let endpoint = endpoint.ok_or("the endpoint rules did not answer")??;
        let signing_region =
            endpoint.auth_schemes().iter().find_map(|scheme| scheme.get("signingRegion")?.as_string());
        let url = match self {
            Self::SecretsManager if parameters.endpoint().is_none() => {
                let (_, domain) = endpoint.url().split_once('.').ok_or("the region has no domain")?;
                let suffix = if parameters.use_fips() == Some(true) { "-fips" } else { "" };
                format!("https://{}{suffix}.{domain}", self.signing_name())
            }
            _ => endpoint.url().to_owned(),
        };
        Ok(Endpoint { url, signing_region: signing_region.map(str::to_owned) })
    }
}
