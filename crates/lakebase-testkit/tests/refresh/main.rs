//! The refresh cache against a scripted service, in fake time.

mod background;
mod flights;
mod phases;
mod world;
