//! The few protobuf messages that scalars need, as bytes: `tensorflow.Event` with `Summary.Value`.

/// Wire types of protobuf.
const VARINT: u64 = 0;
const EIGHT_BYTES: u64 = 1;
const LENGTH: u64 = 2;
const FOUR_BYTES: u64 = 5;

/// `tensorflow.Event`.
pub struct Event(Message);

impl Event {
    /// What every file begins with.
    pub fn version(wall_time: f64) -> Self {
        let mut event = Self::at(wall_time, 0);
        event.0.text(3, "brain.Event:2");
        event
    }

    /// `SessionLog` START: what older files say of `step` and later ones is void.
    pub fn start(wall_time: f64, step: i64) -> Self {
        const START: u64 = 1;
        let mut session = Message::default();
        session.varint(1, START);
        let mut event = Self::at(wall_time, step);
        event.0.message(7, &session);
        event
    }

    /// Figures by name.
    pub fn scalars(wall_time: f64, step: i64, values: &[(&str, f64)]) -> Self {
        let mut summary = Message::default();
        for (tag, value) in values {
            let mut entry = Message::default();
            entry.text(1, tag);
            entry.float(2, *value as f32);
            summary.message(1, &entry);
        }
        let mut event = Self::at(wall_time, step);
        event.0.message(5, &summary);
        event
    }

    fn at(wall_time: f64, step: i64) -> Self {
        let mut message = Message::default();
        message.double(1, wall_time);
        message.varint(2, step as u64);
        Self(message)
    }

    /// The message as it stands in a file.
    pub fn bytes(&self) -> &[u8] {
        &self.0.0
    }
}

/// A protobuf message in the making.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn number(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn key(&mut self, field: u64, wire_type: u64) {
        self.number(field << 3 | wire_type);
    }

    fn varint(&mut self, field: u64, value: u64) {
        self.key(field, VARINT);
        self.number(value);
    }

    fn double(&mut self, field: u64, value: f64) {
        self.key(field, EIGHT_BYTES);
        self.0.extend(value.to_le_bytes());
    }

    fn float(&mut self, field: u64, value: f32) {
        self.key(field, FOUR_BYTES);
        self.0.extend(value.to_le_bytes());
    }

    fn text(&mut self, field: u64, text: &str) {
        self.block(field, text.as_bytes());
    }

    fn message(&mut self, field: u64, message: &Self) {
        self.block(field, &message.0);
    }

    fn block(&mut self, field: u64, bytes: &[u8]) {
        self.key(field, LENGTH);
        self.number(bytes.len() as u64);
        self.0.extend(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written down from the format's own description, byte by byte.
    #[test]
    fn bytes_of_a_scalar() {
        let event = Event::scalars(1.0, 300, &[("a", 0.5)]);
        let expected = [
            &[0x09][..],
            &1.0f64.to_le_bytes(),
            &[0x10, 0xac, 0x02],
            &[0x2a, 0x0a, 0x0a, 0x08, 0x0a, 0x01, b'a', 0x15],
            &0.5f32.to_le_bytes(),
        ]
        .concat();
        assert_eq!(event.bytes(), expected);
    }
}
