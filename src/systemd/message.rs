//! D-Bus messages in the byte order of this host: the part of the format that one call and its answers need.
//!
//! ```text
//! order u8 · kind u8 · flags u8 · version u8 · length of the body u32 · serial u32
//! fields: array of (code u8, variant), padded to 8 · body
//! ```
//!
//! Everything is aligned to its own size, counted from the start of the message; structures to 8. Source: the D-Bus
//! specification, "Type System", "Message Protocol".

/// The serial of our call: a connection makes only one.
pub(super) const SERIAL: u32 = 1;

/// The mark of the host's byte order.
const ORDER: u8 = if cfg!(target_endian = "little") { b'l' } else { b'B' };

/// The maximum length of a message: the manager's have a few hundred bytes.
const LONGEST: usize = 1 << 16;

/// The manager itself.
pub(super) const MANAGER: &str = "/org/freedesktop/systemd1";

/// A body that is being written.
#[derive(Debug, Default)]
pub(super) struct Body(Vec<u8>);

impl Body {
    fn align(&mut self, to: usize) {
        self.0.resize(self.0.len().next_multiple_of(to), 0);
    }

    /// A `u`, a `b`, or an `i` that is not negative.
    pub(super) fn number(&mut self, value: u32) {
        self.align(4);
        self.0.extend(value.to_ne_bytes());
    }

    /// A `t`.
    pub(super) fn long(&mut self, value: u64) {
        self.align(8);
        self.0.extend(value.to_ne_bytes());
    }

    /// An `s`, or an `o`.
    pub(super) fn string(&mut self, text: &str) {
        self.number(length(text.len()));
        self.0.extend(text.as_bytes());
        self.0.push(0);
    }

    /// A `g`.
    fn signature(&mut self, text: &str) {
        self.0.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
        self.0.extend(text.as_bytes());
        self.0.push(0);
    }

    /// An array of elements that are aligned to `element` bytes. Its length includes neither itself nor the padding
    /// after it.
    pub(super) fn array(&mut self, element: usize, fill: impl FnOnce(&mut Self)) {
        self.number(0);
        let place = self.0.len() - 4;
        self.align(element);
        let start = self.0.len();
        fill(self);
        let bytes = length(self.0.len() - start).to_ne_bytes();
        self.0[place..place + 4].copy_from_slice(&bytes);
    }

    /// An `(sv)`: a name, and a value of the type `signature`.
    pub(super) fn property(&mut self, name: &str, signature: &str, value: impl FnOnce(&mut Self)) {
        self.align(8);
        self.string(name);
        self.signature(signature);
        value(self);
    }

    fn field(&mut self, code: u8, signature: &str, value: impl FnOnce(&mut Self)) {
        self.align(8);
        self.0.push(code);
        self.signature(signature);
        value(self);
    }
}

/// rc's arrays are far below the limit of 64 MiB.
fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

/// The object of a unit: a character that is not a letter or a digit becomes `_` and two hexadecimal digits. Source:
/// sd_bus_path_encode(3).
pub(super) fn unit_path(unit: &str) -> String {
    let mut path = "/org/freedesktop/systemd1/unit/".to_owned();
    for (at, byte) in unit.bytes().enumerate() {
        match char::from(byte) {
            plain if plain.is_ascii_alphabetic() || (at > 0 && plain.is_ascii_digit()) => path.push(plain),
            _ => path.push_str(&format!("_{byte:02x}")),
        }
    }
    path
}

/// A call of a method of the object `path`.
pub(super) fn call(path: &str, interface: &str, member: &str, signature: &str, body: &Body) -> Vec<u8> {
    build(Kind::Call, body, |fields| {
        fields.field(1, "o", |body| body.string(path));
        fields.field(2, "s", |body| body.string(interface));
        fields.field(3, "s", |body| body.string(member));
        fields.field(6, "s", |body| body.string("org.freedesktop.systemd1"));
        fields.field(8, "g", |body| body.signature(signature));
    })
}

fn build(kind: Kind, body: &Body, fields: impl FnOnce(&mut Body)) -> Vec<u8> {
    let mut message = Body(vec![ORDER, kind as u8, 0, 1]);
    message.number(length(body.0.len()));
    message.number(SERIAL);
    message.array(8, fields);
    message.align(8);
    message.0.extend(&body.0);
    message.0
}

/// The kind of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    Call = 1,
    Answer = 2,
    Error = 3,
    Signal = 4,
}

/// A received message.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) kind: Kind,
    /// The method or signal; empty in an answer.
    pub(super) member: String,
    /// The name of the error, `org.freedesktop.systemd1.UnitExists`.
    pub(super) error: String,
    /// The serial of the call that it answers; 0 if it is not an answer.
    pub(super) answers: u32,
    bytes: Vec<u8>,
    body: usize,
}

/// The length of the message at the start of `bytes`; `None` if more bytes are needed to tell. Fails with `Err(())` if
/// it is not a message, or too long.
pub(super) fn size(bytes: &[u8]) -> Result<Option<usize>, ()> {
    match bytes.first() {
        Some(order) if *order != ORDER => return Err(()),
        _ => {}
    }
    let mut reader = Reader { bytes, at: 4 };
    let (Some(body), Some(_), Some(fields)) = (reader.number(), reader.number(), reader.number()) else {
        return Ok(None);
    };
    let (body, fields) = (usize::try_from(body).map_err(drop)?, usize::try_from(fields).map_err(drop)?);
    if body > LONGEST || fields > LONGEST {
        return Err(());
    }
    Ok(Some((16 + fields).next_multiple_of(8) + body))
}

impl Message {
    /// Parses one complete message; `None` if it is not one.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        if size(bytes) != Ok(Some(bytes.len())) {
            return None;
        }
        let kind = match bytes.get(1)? {
            1 => Kind::Call,
            2 => Kind::Answer,
            3 => Kind::Error,
            4 => Kind::Signal,
            _ => return None,
        };
        let mut message =
            Self { kind, member: String::new(), error: String::new(), answers: 0, bytes: bytes.to_vec(), body: 0 };
        let mut reader = Reader { bytes, at: 12 };
        let end = 16 + usize::try_from(reader.number()?).ok()?;
        while reader.at < end {
            reader.align(8);
            let code = reader.byte()?;
            match reader.signature()?.as_str() {
                "s" | "o" => {
                    let text = reader.string()?;
                    match code {
                        3 => message.member = text,
                        4 => message.error = text,
                        _ => {}
                    }
                }
                "u" => {
                    let number = reader.number()?;
                    if code == 5 {
                        message.answers = number;
                    }
                }
                "g" => drop(reader.signature()?),
                _ => return None,
            }
        }
        message.body = end.next_multiple_of(8);
        Some(message)
    }

    /// The body, for reading from its start.
    pub(super) fn body(&self) -> Reader<'_> {
        // The body starts at a multiple of 8, so its content is aligned.
        Reader { bytes: self.bytes.get(self.body..).unwrap_or_default(), at: 0 }
    }

    /// Why the manager refuses the call, in its words, if this is its refusal.
    pub(super) fn refusal(&self) -> Option<String> {
        let is_ours = self.kind == Kind::Error && self.answers == SERIAL;
        is_ours.then(|| self.body().string().unwrap_or_else(|| self.error.clone()))
    }

    /// The string in a body that consists of a variant.
    pub(super) fn string(&self) -> Option<String> {
        let mut body = self.body();
        (body.signature()? == "s").then(|| body.string()).flatten()
    }

    /// The boolean in a body that consists of a variant.
    pub(super) fn boolean(&self) -> Option<bool> {
        let mut body = self.body();
        (body.signature()? == "b").then(|| body.number()).flatten().map(|value| value != 0)
    }
}

/// A body that is being read.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn align(&mut self, to: usize) {
        self.at = self.at.next_multiple_of(to);
    }

    fn take(&mut self, length: usize) -> Option<&[u8]> {
        let taken = self.bytes.get(self.at..self.at.checked_add(length)?)?;
        self.at += length;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    /// A `u`.
    pub(super) fn number(&mut self) -> Option<u32> {
        self.align(4);
        Some(u32::from_ne_bytes(self.take(4)?.try_into().ok()?))
    }

    /// An `s`, or an `o`.
    pub(super) fn string(&mut self) -> Option<String> {
        let length = usize::try_from(self.number()?).ok()?;
        let text = String::from_utf8(self.take(length)?.to_vec()).ok()?;
        self.byte().map(|_| text)
    }

    fn signature(&mut self) -> Option<String> {
        let length = usize::from(self.byte()?);
        let text = String::from_utf8(self.take(length)?.to_vec()).ok()?;
        self.byte().map(|_| text)
    }
}

/// The manager's messages, for a test that plays the manager.
#[cfg(test)]
pub(super) mod manager {
    use super::{Body, Kind, build};

    pub(in crate::systemd) fn answer(to: u32, signature: &str, body: &Body) -> Vec<u8> {
        build(Kind::Answer, body, |fields| {
            fields.field(5, "u", |body| body.number(to));
            fields.field(8, "g", |body| body.signature(signature));
        })
    }

    pub(in crate::systemd) fn error(to: u32, name: &str, sentence: &str) -> Vec<u8> {
        let mut body = Body::default();
        body.string(sentence);
        build(Kind::Error, &body, |fields| {
            fields.field(4, "s", |body| body.string(name));
            fields.field(5, "u", |body| body.number(to));
            fields.field(8, "g", |body| body.signature("s"));
        })
    }

    pub(in crate::systemd) fn job_removed(unit: &str, result: &str) -> Vec<u8> {
        removed(21, unit, result)
    }

    pub(in crate::systemd) fn removed(job: u32, unit: &str, result: &str) -> Vec<u8> {
        let mut body = Body::default();
        body.number(job);
        body.string(&format!("/org/freedesktop/systemd1/job/{job}"));
        body.string(unit);
        body.string(result);
        build(Kind::Signal, &body, |fields| {
            fields.field(1, "o", |body| body.string(super::MANAGER));
            fields.field(2, "s", |body| body.string("org.freedesktop.systemd1.Manager"));
            fields.field(3, "s", |body| body.string("JobRemoved"));
            fields.field(8, "g", |body| body.signature("uoss"));
        })
    }

    pub(in crate::systemd) fn text(text: &str) -> Body {
        let mut body = Body::default();
        body.signature("s");
        body.string(text);
        body
    }

    pub(in crate::systemd) fn truth(value: bool) -> Body {
        let mut body = Body::default();
        body.signature("b");
        body.number(value.into());
        body
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_laid_out_as_the_specification_has_it() {
        let mut body = Body::default();
        body.string("abc");
        body.array(8, |body| body.property("P", "b", |body| body.number(1)));
        // 4 + 4 of the string, 4 of the array's length, 4 of padding, then the structure.
        let bytes = [
            [3, 0, 0, 0].as_slice(),
            b"abc\0",
            &[17, 0, 0, 0, 0, 0, 0, 0],
            &[1, 0, 0, 0],
            b"P\0",
            &[1, b'b', 0],
            &[0; 3],
            &[1, 0, 0, 0],
        ]
        .concat();
        #[cfg(target_endian = "little")]
        assert_eq!(body.0[..8], bytes[..8]);
        assert_eq!(body.0[8..12], u32::try_from(body.0.len() - 16).expect("short").to_ne_bytes());
        assert_eq!(body.0.len(), bytes.len());
        let call = call(MANAGER, "a.b", "C", "sa(sv)", &body);
        assert_eq!(size(&call), Ok(Some(call.len())));
        let parsed = Message::parse(&call).expect("it can be read");
        assert_eq!((parsed.kind, parsed.member.as_str(), parsed.answers), (Kind::Call, "C", 0));
        assert_eq!(parsed.body().string().as_deref(), Some("abc"));
    }

    #[test]
    fn a_unit_s_object_has_letters_and_digits_only() {
        for (unit, path) in [("run-u7.scope", "run_2du7_2escope"), ("7_é.service", "_37_5f_c3_a9_2eservice")] {
            assert_eq!(unit_path(unit), format!("/org/freedesktop/systemd1/unit/{path}"));
        }
    }

    #[test]
    fn what_is_cut_off_or_foreign_is_no_message() {
        let whole = manager::job_removed("a.scope", "done");
        for length in 0..whole.len() {
            assert!(Message::parse(&whole[..length]).is_none(), "{length}");
            assert!(!matches!(size(&whole[..length]), Ok(Some(size)) if size <= length), "{length}");
        }
        let mut long = whole.clone();
        long[4..8].copy_from_slice(&u32::MAX.to_ne_bytes());
        assert_eq!(size(&long), Err(()));
        let mut other = whole;
        other[0] = b'?';
        assert_eq!(size(&other), Err(()));
    }
}
