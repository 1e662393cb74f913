//! Database credentials as faults make them.

use std::time::{Duration, SystemTime};

use super::Context;
use crate::state::{State, TokenUse};
use crate::time::later;

/// A token of `identity` that lives for `lifetime`, and its expiry; or what the faults make of it.
pub(super) fn mint(
    state: &mut State,
    context: &Context,
    identity: &str,
    use_: TokenUse,
    lifetime: Duration,
) -> (String, SystemTime) {
    let last = state.last_tokens.get(&(identity.to_owned(), use_.key())).cloned();
    if let Some(last) = last.filter(|_| context.same_token) {
        return last;
    }
    if context.expired {
        let past = context.now - Duration::from_secs(3_600);
        return (state.mint(identity, use_, past, past), past);
    }
    let expires = later(context.now, context.lifetime.unwrap_or(lifetime));
    (state.mint(identity, use_, context.now, expires), expires)
}
