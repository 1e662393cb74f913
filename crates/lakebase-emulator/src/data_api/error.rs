//! Errors in the form of `PostgREST`: `code`, `details`, `hint`, `message`, and a status.

use serde_json::json;

use crate::postgres::ServerError;
use crate::request::Answer;

/// Why a request was not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) status: u16,
    pub(super) code: String,
    message: String,
    details: Option<String>,
    hint: Option<String>,
}

impl Failure {
    pub(super) fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), message: message.into(), details: None, hint: None }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(super) fn details(mut self, details: impl Into<String>) -> Self {
        self.details = Some(details.into());
        self
    }

    /// A part of the query string that cannot be read.
    pub(super) fn parsing(what: &str, text: &str) -> Self {
        let message = format!("\"failed to parse {what} ({text})\"");
        Self::new(400, "PGRST100", message)
    }

    /// Something that `PostgREST` can do and this emulator cannot.
    pub(super) fn not_simulated(what: &str) -> Self {
        Self::new(400, "PGRST100", format!("The emulator does not simulate {what}"))
    }

    pub(super) fn invalid_json() -> Self {
        Self::new(400, "PGRST102", "Empty or invalid json")
    }

    /// The database cannot be reached.
    pub(super) fn unreachable(why: &str) -> Self {
        let message = "Database connection error. Retrying the connection.";
        Self::new(503, "PGRST000", message).details(why)
    }

    /// An error of Postgres about a statement on a table.
    pub(super) fn from_server(error: ServerError, schema: &str, table: &str) -> Self {
        let ServerError { sqlstate, message, detail, hint } = error;
        if sqlstate == "42P01" && message == format!("relation \"{schema}.{table}\" does not exist")
        {
            let message =
                format!("Could not find the table '{schema}.{table}' in the schema cache");
            return Self::new(404, "PGRST205", message);
        }
        // Said about the columns that a body names, and about nothing else.
        let end = format!("\" of relation \"{table}\" does not exist");
        let inserted = message.strip_prefix("column \"").and_then(|rest| rest.strip_suffix(&end));
        let updated = message.strip_prefix("column _body.");
        let updated = updated.and_then(|rest| rest.strip_suffix(" does not exist"));
        let column = inserted.or(updated);
        if let ("42703", Some(column)) = (sqlstate.as_str(), column) {
            let message =
                format!("Could not find the '{column}' column of '{table}' in the schema cache");
            return Self::new(400, "PGRST204", message);
        }
        Self { status: status(&sqlstate, &message), code: sqlstate, message, details: detail, hint }
    }

    pub(super) fn answer(self) -> Answer {
        let Self { status, code, message, details, hint } = self;
        let body = json!({ "code": code, "details": details, "hint": hint, "message": message });
        let mut headers = vec![("content-type", "application/json; charset=utf-8".to_owned())];
        if status == 401 {
            headers.push(("www-authenticate", "Bearer".to_owned()));
        }
        Answer { status, headers, body: body.to_string() }
    }
}

/// The status for an SQLSTATE, by the table in the documentation of `PostgREST` 14.
fn status(sqlstate: &str, message: &str) -> u16 {
    let custom = sqlstate.strip_prefix("PT").and_then(|digits| digits.parse().ok());
    if let Some(status @ 200..=599) = custom {
        return status;
    }
    match sqlstate {
        "23503" | "23505" => 409,
        "25006" => 405,
        "53400" => 500,
        "42883" | "42P01" => 404,
        "42501" => 403,
        "22023" if message.starts_with("role ") && message.ends_with(" does not exist") => 401,
        "P0001" => 400,
        _ => match sqlstate.get(..2).unwrap_or_default() {
            "08" | "53" => 503,
            "09" | "25" | "2D" | "38" | "39" | "3B" | "40" | "54" | "55" | "57" | "58" | "F0"
            | "HV" | "P0" | "XX" => 500,
            "0L" | "0P" | "28" => 403,
            _ => 400,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqlstates_have_the_documented_statuses() {
        for (sqlstate, expected) in [
            ("08006", 503),
            ("0P000", 403),
            ("22P02", 400),
            ("23502", 400),
            ("23505", 409),
            ("25006", 405),
            ("28000", 403),
            ("40001", 500),
            ("42501", 403),
            ("42883", 404),
            ("53300", 503),
            ("53400", 500),
            ("P0001", 400),
            ("P0002", 500),
            ("PT418", 418),
            ("PTxyz", 400),
            ("", 400),
        ] {
            assert_eq!(status(sqlstate, ""), expected, "{sqlstate}");
        }
        assert_eq!(status("22023", "role \"x\" does not exist"), 401);
    }
}
