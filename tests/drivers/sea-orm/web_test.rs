//! The web service with sea-orm passes what those with sqlx and deadpool pass.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

#[path = "../../../crates/lakebase/tests/web_service/mod.rs"]
mod web_service;

use std::process::Command;

#[test]
fn it_serves_through_rotations_and_a_suspend() {
    let folder = std::env::current_exe().unwrap();
    let program = folder.ancestors().nth(2).unwrap().join("examples/web_sea_orm");
    web_service::serves_through_rotations_and_a_suspend(|variables| {
        let mut command = Command::new(&program);
        command.env_clear().envs(variables.iter().map(|(name, value)| (name, value)));
        command
    });
}
