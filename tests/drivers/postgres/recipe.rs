//! `postgres`, which blocks.

// ANCHOR: recipe
use lakebase::Tunnel;
use postgres::{Client, Error, NoTls};

/// A session of its own. It ends with the tunnel.
///
/// TLS is the tunnel's matter.
pub fn client(tunnel: &Tunnel) -> Result<Client, Error> {
    Client::connect(tunnel.url().expose(), NoTls)
}
// ANCHOR_END: recipe
