//! A node that is somewhere else: redirects are not followed, because the key would go along.

use reqwest::header::{HeaderMap, LOCATION};
use service::mask::Masker;
use url::Url;

use crate::rpc::call::Failure;

/// The failure of an answer that redirects, with the URL to write; `None` for any other answer.
pub(crate) fn redirected(asked: &Url, status: u16, headers: &HeaderMap) -> Option<Failure> {
    if !matches!(status, 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let place = headers.get(LOCATION).and_then(|place| place.to_str().ok());
    let place =
        place.and_then(|place| asked.join(place).ok()).and_then(|place| alike(asked, place));
    Some(Failure::Broken(match place {
        // Its key may be another than ours.
        Some(place) => format!(
            "HTTP {status}: it redirects, and redirects are not followed; write in rpc_urls: {}",
            Masker::of([&place]).mask(place.as_str())
        ),
        None => format!(
            "HTTP {status}: it redirects and does not say where to; write the node's own URL in \
             rpc_urls"
        ),
    }))
}

/// The place as `rpc_urls` has it: a websocket's redirect is a URL of HTTP.
fn alike(asked: &Url, mut place: Url) -> Option<Url> {
    if matches!(asked.scheme(), "ws" | "wss") {
        let scheme = match place.scheme() {
            "http" => "ws",
            "https" => "wss",
            _ => return Some(place),
        };
        place.set_scheme(scheme).ok()?;
    }
    Some(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(asked: &str, status: u16, place: Option<&str>) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.extend(place.map(|place| (LOCATION, place.parse().expect("a header"))));
        let asked = Url::parse(asked).expect("a URL");
        redirected(&asked, status, &headers).map(Failure::into_problem)
    }

    #[test]
    fn a_redirect_says_which_url_to_write_without_its_key() {
        for (asked, place, written) in [
            ("http://a.example/v3", "https://a.example/v3", "https://a.example/v3"),
            ("http://a.example/rpc", "/rpc/", "http://a.example/rpc/"),
            (
                "http://a.example/v3/0123456789abcdef",
                "https://b.example/v3/0123456789abcdef?token=hunter2",
                "https://b.example/v3/***?token=***",
            ),
            ("ws://a.example/ws", "https://a.example/ws", "wss://a.example/ws"),
            ("ws://a.example/ws", "/other", "ws://a.example/other"),
            ("wss://user:hunter2@a.example/", "/x", "wss://***:***@a.example/x"),
        ] {
            for status in [301, 302, 303, 307, 308] {
                let said = said(asked, status, Some(place)).expect("a redirect");
                let begin = format!("HTTP {status}: ");
                let end = format!("; write in rpc_urls: {written}");
                assert!(said.starts_with(&begin) && said.ends_with(&end), "{said}");
            }
        }
        let nowhere = said("http://a.example/", 308, None).expect("a redirect");
        assert!(nowhere.contains("does not say where to"), "{nowhere}");
        assert_eq!(said("http://a.example/", 304, None), None);
    }
}
