//! What tables have to know about a row beyond its lines.

/// Whether `subject` is what the others of `bench` are compared with: the floor where there is one.
pub(crate) fn is_reference(bench: &str, subject: &str) -> bool {
    match bench {
        "pool" => subject == "sqlx without ping",
        "dependencies" => subject == "sqlx alone",
        "proxy" => subject == "direct",
        _ => subject == "floor" || subject.starts_with("floor: "),
    }
}

/// Whether `subject` is what this repository makes.
pub(crate) fn is_ours(subject: &str) -> bool {
    subject == "ours" || subject.starts_with("ours: ") || subject == "lakebase proxy"
}
