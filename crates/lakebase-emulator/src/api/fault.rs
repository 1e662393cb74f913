//! The effects that apply to one HTTP request, and what they make of its answer.

use std::time::Duration;

use serde_json::json;

use super::reply::{Context, Ending, Reply, Response, finish, render};
use crate::fault::{Body, Effect, RetryAfter};
use crate::time::{http_date, later};

#[derive(Default)]
pub(super) struct Plan {
    reply: Option<Effect>,
    redirect: Option<String>,
    body: Option<Body>,
    omit: Vec<String>,
    delay: Duration,
    drop: bool,
    pub(super) skew: i64,
    pub(super) lifetime: Option<Duration>,
    pub(super) expired: bool,
    pub(super) same_token: bool,
}

impl Plan {
    pub(super) fn new(effects: Vec<Effect>) -> Self {
        let mut plan = Self::default();
        for effect in effects {
            match effect {
                Effect::Reply { .. } => {
                    plan.reply.get_or_insert(effect);
                }
                Effect::Redirect { location } => plan.redirect = Some(location),
                Effect::Garble { body } => plan.body = Some(body),
                Effect::Latency { duration } => plan.delay = plan.delay.saturating_add(duration),
                Effect::Drop => plan.drop = true,
                Effect::Skew { seconds } => plan.skew = plan.skew.saturating_add(seconds),
                Effect::Lifetime { duration } => plan.lifetime = Some(duration),
                Effect::Omit { field } => plan.omit.push(field),
                Effect::Expired => plan.expired = true,
                Effect::SameToken => plan.same_token = true,
                _ => {}
            }
        }
        plan
    }

    /// The answer that takes the place of the right one, which is then not computed.
    pub(super) fn replacement(&self, context: &Context) -> Option<Response> {
        if self.drop {
            return Some(finish(500, Vec::new()));
        }
        if let Some(location) = &self.redirect {
            let mut response = finish(302, Vec::new());
            response.headers.push(("location", location.clone()));
            return Some(response);
        }
        let Effect::Reply { status, body, retry_after, error_code, message } =
            self.reply.as_ref()?
        else {
            return None;
        };
        let status = if (200..600).contains(status) { *status } else { 500 };
        let code = error_code.as_deref().unwrap_or(default_code(status));
        let message = message.as_deref().unwrap_or("This failure is simulated.");
        let json = json!({
            "error_code": code, "message": message,
            "details": [{
                "@type": "type.googleapis.com/google.rpc.RequestInfo",
                "request_id": crate::random::hex::<8>(), "serving_data": "",
            }],
        });
        let mut response = deliver(status, render(json.to_string(), *body));
        let retry_after = retry_after.map(|retry_after| match retry_after {
            RetryAfter::Seconds(seconds) => seconds.to_string(),
            RetryAfter::Date(ahead) => {
                let ahead = Duration::from_secs(ahead);
                http_date(context.skewed(later(context.now, ahead)))
            }
        });
        response.headers.extend(retry_after.map(|value| ("retry-after", value)));
        Some(response)
    }

    /// The right answer, without the omitted fields and in the ordered form.
    pub(super) fn garble(&self, mut reply: Reply) -> Response {
        if let Some(fields) = reply.json.as_object_mut() {
            for field in &self.omit {
                fields.remove(field);
            }
        }
        let mut response =
            deliver(reply.status, render(reply.json.to_string(), self.body.unwrap_or_default()));
        response.headers.extend(reply.location.map(|location| ("location", location)));
        response
    }

    /// An answer with headers of its own, in the ordered form.
    pub(super) fn garble_text(
        &self,
        status: u16,
        headers: Vec<(&'static str, String)>,
        text: String,
    ) -> Response {
        let Some(form) = self.body else {
            let mut response = finish(status, text.into_bytes());
            response.headers = headers;
            return response;
        };
        deliver(status, render(text, form))
    }

    /// Says when and how far the response arrives.
    pub(super) fn deliver(&self, response: &mut Response) {
        response.delay = self.delay;
        if self.drop {
            response.ending = Ending::Drop;
        }
    }
}

fn deliver(status: u16, (body, content_type, ending): (Vec<u8>, &str, Ending)) -> Response {
    let mut response = finish(status, body);
    response.headers = vec![("content-type", content_type.to_owned())];
    response.ending = ending;
    response
}

/// The `error_code` that the SDKs associate with a status.
fn default_code(status: u16) -> &'static str {
    match status {
        400 => "BAD_REQUEST",
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        409 => "ALREADY_EXISTS",
        429 => "REQUEST_LIMIT_EXCEEDED",
        500 => "INTERNAL_ERROR",
        501 => "NOT_IMPLEMENTED",
        503 => "TEMPORARILY_UNAVAILABLE",
        504 => "DEADLINE_EXCEEDED",
        _ => "UNKNOWN",
    }
}
