//! A limit as it was measured.

/// So much in so many seconds.
#[derive(Clone, Copy)]
pub struct Roof {
    pub amount: f64,
    pub seconds: f64,
}

impl Roof {
    pub fn rate(&self) -> f64 {
        self.amount / self.seconds
    }
}
