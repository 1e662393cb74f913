//! A user's program on smol.

mod postgres;
mod stage;
mod user;
mod workspace;

use std::process::ExitCode;

fn main() -> ExitCode {
    stage::play(|| ::smol::block_on(user::program()))
}
