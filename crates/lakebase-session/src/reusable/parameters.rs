//! Parameters that the server reports without being asked: their names and present values.

use bytes::BytesMut;

use crate::message;

/// The values of all `ParameterStatus` messages so far, in the order of their first.
#[derive(Debug, Default)]
pub(super) struct Parameters(Vec<Parameter>);

#[derive(Debug)]
struct Parameter {
    /// Without the NUL at its end.
    name: Vec<u8>,
    /// The body of the message.
    body: Vec<u8>,
}

impl Parameters {
    /// Takes the body of a `ParameterStatus`.
    pub(super) fn take(&mut self, body: &[u8]) {
        let Some(name) = body.split(|byte| *byte == 0).next() else { return };
        match self.0.iter_mut().find(|known| known.name == name) {
            Some(known) => {
                known.body.clear();
                known.body.extend_from_slice(body);
            }
            None => self.0.push(Parameter { name: name.to_vec(), body: body.to_vec() }),
        }
    }

    /// The present value of `name`.
    pub(super) fn get(&self, name: &str) -> Option<&[u8]> {
        let known = self.0.iter().find(|known| known.name == name.as_bytes())?;
        known.body.get(known.name.len() + 1..)?.strip_suffix(&[0])
    }

    /// Appends them as the server would say them.
    pub(super) fn put(&self, out: &mut BytesMut) {
        for parameter in &self.0 {
            message::put(out, b'S', &parameter.body);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_value_counts_and_the_order_stays() {
        let mut parameters = Parameters::default();
        for body in [&b"TimeZone\0UTC\0"[..], b"DateStyle\0ISO\0", b"TimeZone\0Asia/Tokyo\0"] {
            parameters.take(body);
        }
        assert_eq!(parameters.get("TimeZone"), Some(&b"Asia/Tokyo"[..]));
        assert_eq!(parameters.get("Time"), None);
        let mut out = BytesMut::new();
        parameters.put(&mut out);
        assert_eq!(&out[..], b"S\0\0\0\x18TimeZone\0Asia/Tokyo\0S\0\0\0\x12DateStyle\0ISO\0");
        // What has no form has no value.
        parameters.take(b"");
        parameters.take(b"odd");
        assert_eq!(parameters.get("odd"), None);
    }
}
