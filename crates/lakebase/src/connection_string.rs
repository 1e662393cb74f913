//! Connection strings: their forms, and what becomes of each parameter of libpq 18.
//!
//! [`Builder::url`](crate::Builder::url), [`Lakebase::from_url`](crate::Lakebase::from_url) and `LAKEBASE_PG_URL` take
//! both forms that libpq's programs take:
//!
//! ```text
//! postgresql://user:password@host:port/database?parameter=value&…
//! host=… port=… dbname=… user=… password=… parameter=value …
//! ```
//!
//! In the first form, `postgres://` and SQLAlchemy's `postgresql+driver://` mean the same, `ssl=true` means
//! `sslmode=require`, and an `@` in a user name may stand as it is: `postgresql://me@example.com@host/database`. All else
//! that is special is percent-encoded: `%` as `%25`, `/` as `%2F`, `:` as `%3A`, `?` as `%3F`, `#` as `%23`, `@` as `%40`.
//! A password that was not would end early, and its rest be taken for a port, a database or a parameter; so a string with
//! a `#`, or with an `@` behind the host, is an error. No error quotes what may belong to a password.
//!
//! In the second form, a value with spaces stands in single quotes, and a backslash takes the next character as it is.
//!
//! # Parameters
//!
//! A parameter comes before its environment variable. A value that cannot be given is an error, from either place: a
//! demand such as `require_auth` or `PGCHANNELBINDING=require` is never dropped in silence. Variables marked with "not
//! read" hold wishes of other programs that protect nothing. Parameters that libpq does not know are errors.
//!
#![doc = include_str!("connection_string.md")]
//!
//! Source: [PostgreSQL 18, "Parameter Key Words"](https://www.postgresql.org/docs/18/libpq-connect.html#LIBPQ-PARAMKEYWORDS).
