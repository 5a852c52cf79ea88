//! Webhooks by [Standard Webhooks](https://www.standardwebhooks.com) 1.0: an HTTP POST of signed
//! JSON. `docs/webhooks.md` is the contract.

pub mod body;
pub mod signer;

use event_engine::job::JobId;
use url::Url;

use self::body::WebhookBody;
use self::signer::{SECRET_PREFIX, Signer};
use crate::keys::{self, ConfigKeys};
use crate::kind::{AddressForm, ConfigRefusal, Destination, Kind};
use crate::message::Message;
use crate::policy::{DestinationPolicy, URL_BYTES_MAX};
use crate::secret::{Secret, SecretFormatError, SecretNeed, SecretPlace};

/// The kind `webhook`.
pub struct Webhook;

/// The keys of a webhook.
pub struct Config {
    written: String,
    url: Url,
    secret: SecretPlace,
}

/// A message and its destination. Without `Debug`: a URL's path and query may be secret.
pub struct WebhookRequest {
    /// The destination.
    pub url: Url,
    /// The `webhook-id`.
    pub job: JobId,
    /// The text that is signed and sent.
    pub body: WebhookBody,
    /// Its signer. There is no webhook without a signature.
    pub signer: Signer,
}

impl Kind for Webhook {
    const NAME: &'static str = "webhook";
    type Config = Config;
    type Request = WebhookRequest;

    fn read(keys: &mut ConfigKeys<'_>) -> Result<Config, ConfigRefusal> {
        let url = keys.required("url", "it says where the webhook goes")?;
        let written = keys::text("url", url, URL_BYTES_MAX)?.to_owned();
        let secret = keys.required("secret", "without one nobody can tell who sent it")?;
        let secret = SecretPlace::read("secret", secret, SECRET_PREFIX)?;
        let url = Url::parse(&written).map_err(|error| {
            let problem = format!("is no URL such as https://example.org/hook: {error}");
            ConfigRefusal::of("url", problem)
        })?;
        Ok(Config { written, url, secret })
    }

    fn check(config: &Config, policy: &DestinationPolicy) -> Result<(), ConfigRefusal> {
        let url = policy.check_url(&config.url);
        url.map_err(|refusal| ConfigRefusal::of("url", refusal))?;
        if let SecretPlace::Inline(text) = &config.secret {
            Signer::from_secrets(text).map_err(|error| ConfigRefusal::of("secret", error))?;
        }
        Ok(())
    }

    /// The address is the URL without its query, which may say no more than who is asking.
    fn destination(config: &Config) -> Destination {
        let (url, origin) = (&config.url, origin(&config.url));
        let address = format!("{}://{origin}{}", url.scheme(), url.path());
        Destination { address, form: AddressForm::Url, origin }
    }

    fn named_by(config: &Config) -> String {
        config.written.clone()
    }

    fn secrets(config: &Config) -> Vec<SecretNeed<'_>> {
        vec![SecretNeed { place: &config.secret, prefix: SECRET_PREFIX }]
    }

    fn render(
        config: Config,
        message: &Message<'_>,
        secrets: &[Secret],
    ) -> Result<WebhookRequest, SecretFormatError> {
        let [secret] = secrets else { unreachable!("a webhook needs one secret") };
        let signer = Signer::of(secret)?;
        Ok(WebhookRequest {
            url: config.url,
            job: message.id,
            body: WebhookBody::of(message),
            signer,
        })
    }
}

impl WebhookRequest {
    /// The headers of an attempt at `timestamp`, unix seconds: receivers turn old ones away.
    pub fn headers(&self, timestamp: i64) -> [(&'static str, String); 4] {
        let id = self.job.to_string();
        let signature = self.signer.sign(&id, timestamp, self.body.as_str());
        [
            ("content-type", "application/json".to_owned()),
            ("webhook-signature", signature),
            ("webhook-timestamp", timestamp.to_string()),
            ("webhook-id", id),
        ]
    }
}

/// The host and port of a URL, which share limits. Errors name no more of a destination.
pub fn origin(url: &Url) -> String {
    let port = url.port_or_known_default().unwrap_or_default();
    format!("{}:{port}", url.host_str().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use event_engine::trigger::config::ConfigNode;

    use crate::registry;

    #[test]
    fn urls_that_differ_in_their_query_alone_are_one_destination() {
        let address = |url: &str| {
            let secret = ConfigNode::text("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
            let config = ConfigNode::table([("url", ConfigNode::text(url)), ("secret", secret)]);
            registry::destination("webhook", &config).expect(url).address
        };
        let one = address("https://example.org/hook");
        assert_eq!(one, "https://example.org:443/hook");
        for same in [
            "https://EXAMPLE.org:443/hook",
            "https://example.org/hook?token=hunter2",
            "https://example.org/hook#part",
            "https://example.org/./hook",
        ] {
            assert_eq!(address(same), one, "{same}");
        }
        for other in [
            "http://example.org/hook",
            "https://example.org:8443/hook",
            "https://example.org/Hook",
            "https://example.org/hook/",
            "https://example.org/h%6fok",
            "https://www.example.org/hook",
        ] {
            assert_ne!(address(other), one, "{other}");
        }
        assert_eq!(address("https://[2001:db8::1]/"), "https://[2001:db8::1]:443/");
    }
}
