//! Programs that run beside a tunnel: what they are told, and how they end.

pub(crate) mod address;
mod run;

pub(crate) use self::run::run;
