//! Lists that are answered page by page.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::reply::Reply;
use crate::request::{Request, form_value};
use crate::state::State;

/// The page that `request` asks for; `next_page_token` is there as long as more follows.
pub(super) fn page(
    state: &State,
    request: &Request,
    plural: &str,
    items: &[Value],
) -> Result<Reply, Reply> {
    let start = match form_value(&request.query, "page_token").filter(|token| !token.is_empty()) {
        None => 0,
        Some(token) => match read_page_token(&token) {
            Some(start) if start <= items.len() => start,
            _ => return Err(Reply::invalid("Invalid page token")),
        },
    };
    let wanted = form_value(&request.query, "page_size").and_then(|size| size.parse().ok());
    let size =
        wanted.filter(|size| *size > 0).unwrap_or(usize::MAX).min(state.config.page_size.max(1));
    let end = start.saturating_add(size).min(items.len());
    let mut reply = json!({ plural: items.get(start..end).unwrap_or_default() });
    if end < items.len() {
        let token = URL_SAFE_NO_PAD.encode(format!("from:{end}"));
        reply.as_object_mut().map(|reply| reply.insert("next_page_token".to_owned(), token.into()));
    }
    Ok(Reply::ok(reply))
}

fn read_page_token(token: &str) -> Option<usize> {
    let decoded = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    decoded.strip_prefix("from:")?.parse().ok()
}
