//! Direct DNS queries, for host names that the system's resolver does not find.
//!
//! A stub resolver (RFC 1035, RFC 5452): it asks recursive servers one after the other, twice each, for
//! IPv4 and IPv6 addresses at the same time, over UDP and, when a reply was cut, over TCP. It does not read
//! the hosts file, knows no search domains and starts no program.

#[cfg(all(feature = "_runtime", any(windows, test)))]
mod adapter;
pub mod message;
#[cfg(feature = "_runtime")]
mod resolv_conf;
#[cfg(feature = "_runtime")]
mod resolver;
#[cfg(all(feature = "_runtime", any(target_vendor = "apple", test)))]
mod resolver_files;
#[cfg(all(feature = "_runtime", any(target_vendor = "apple", test)))]
mod scutil;
mod servers;
#[cfg(feature = "_runtime")]
mod system;

#[cfg(feature = "_runtime")]
pub(crate) use self::resolver::DirectResolver;
pub use self::servers::parse_servers;
