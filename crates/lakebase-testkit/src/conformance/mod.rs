//! What every implementation of a trait must do, as functions that take the trait object.
