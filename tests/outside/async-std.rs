//! A user's program on async-std.

mod postgres;
mod stage;
mod user;
mod workspace;

use std::process::ExitCode;

fn main() -> ExitCode {
    stage::play(|| async_std::task::block_on(user::program()))
}
