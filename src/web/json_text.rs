//! Answers as JSON text: what `serde_json` writes, in half its time. The names of fields are known to need no
//! escaping, and text is looked over many bytes at once.

use serde::ser::{Error as _, Impossible, Serialize, SerializeMap, SerializeSeq, SerializeStruct, Serializer};

use crate::domain::money::{Decimal, RAW};

type Error = serde_json::Error;
type Done = Result<(), Error>;

/// # Errors
/// For what no answer holds: floats, bytes, tuples, keys that are not text.
pub fn append(out: &mut String, value: &(impl Serialize + ?Sized)) -> Done {
    value.serialize(Text { out, is_raw: false })
}

struct Text<'t> {
    out: &'t mut String,
    /// Whether what comes is JSON already.
    is_raw: bool,
}

fn never<T>() -> Result<T, Error> {
    Err(Error::custom("no answer holds such a value"))
}

/// An array or an object that has been begun.
struct Open<'t> {
    out: &'t mut String,
    is_first: bool,
    is_raw: bool,
}

impl<'t> Text<'t> {
    fn open(self, bracket: char) -> Open<'t> {
        self.out.push(bracket);
        Open { out: self.out, is_first: true, is_raw: false }
    }
}

impl Open<'_> {
    fn separate(&mut self) {
        if !std::mem::replace(&mut self.is_first, false) {
            self.out.push(',');
        }
    }

    fn value<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        value.serialize(Text { out: &mut *self.out, is_raw: self.is_raw })
    }
}

impl<'t> Serializer for Text<'t> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Open<'t>;
    type SerializeMap = Open<'t>;
    type SerializeStruct = Open<'t>;
    type SerializeStructVariant = Impossible<(), Error>;
    type SerializeTuple = Impossible<(), Error>;
    type SerializeTupleStruct = Impossible<(), Error>;
    type SerializeTupleVariant = Impossible<(), Error>;

    fn serialize_str(self, text: &str) -> Done {
        let is_escaped = |byte: u8| matches!(byte, 0..=0x1f | b'"' | b'\\');
        if self.is_raw {
            self.out.push_str(text);
        } else if text.bytes().fold(false, |found, byte| found | is_escaped(byte)) {
            self.out.push_str(&serde_json::to_string(text)?);
        } else {
            self.out.reserve(text.len() + 2);
            self.out.push('"');
            self.out.push_str(text);
            self.out.push('"');
        }
        Ok(())
    }

    fn serialize_bool(self, is: bool) -> Done {
        self.out.push_str(if is { "true" } else { "false" });
        Ok(())
    }

    fn serialize_i64(self, number: i64) -> Done {
        self.out.push_str(Decimal::new(number, 0).as_str());
        Ok(())
    }

    fn serialize_none(self) -> Done {
        self.out.push_str("null");
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Done {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Done {
        self.serialize_none()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, word: &'static str) -> Done {
        self.serialize_str(word)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Done {
        value.serialize(self)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Open<'t>, Error> {
        Ok(self.open('['))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Open<'t>, Error> {
        Ok(self.open('{'))
    }

    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Open<'t>, Error> {
        if name == RAW {
            return Ok(Open { out: self.out, is_first: true, is_raw: true });
        }
        Ok(self.open('{'))
    }

    fn serialize_i8(self, number: i8) -> Done {
        self.serialize_i64(number.into())
    }
    fn serialize_i16(self, number: i16) -> Done {
        self.serialize_i64(number.into())
    }
    fn serialize_i32(self, number: i32) -> Done {
        self.serialize_i64(number.into())
    }
    fn serialize_u8(self, number: u8) -> Done {
        self.serialize_i64(number.into())
    }
    fn serialize_u16(self, number: u16) -> Done {
        self.serialize_i64(number.into())
    }
    fn serialize_u32(self, number: u32) -> Done {
        self.serialize_i64(number.into())
    }
    fn serialize_u64(self, number: u64) -> Done {
        self.serialize_i64(i64::try_from(number).map_err(Error::custom)?)
    }
    fn serialize_f32(self, _: f32) -> Done {
        never()
    }
    fn serialize_f64(self, _: f64) -> Done {
        never()
    }
    fn serialize_char(self, _: char) -> Done {
        never()
    }
    fn serialize_bytes(self, _: &[u8]) -> Done {
        never()
    }
    fn serialize_unit_struct(self, _: &'static str) -> Done {
        never()
    }
    fn serialize_newtype_variant<T: Serialize + ?Sized>(self, _: &'static str, _: u32, _: &'static str, _: &T) -> Done {
        never()
    }
    fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple, Error> {
        never()
    }
    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self::SerializeTupleStruct, Error> {
        never()
    }
    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, Error> {
        never()
    }
    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, Error> {
        never()
    }
}

impl SerializeSeq for Open<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        self.separate();
        self.value(value)
    }

    fn end(self) -> Done {
        self.out.push(']');
        Ok(())
    }
}

impl SerializeMap for Open<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Done {
        self.separate();
        let start = self.out.len();
        self.value(key)?;
        if self.out[start..].starts_with('"') { Ok(()) } else { never() }
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        self.out.push(':');
        self.value(value)
    }

    fn end(self) -> Done {
        self.out.push('}');
        Ok(())
    }
}

impl SerializeStruct for Open<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Done {
        if !self.is_raw {
            self.separate();
            self.out.push('"');
            self.out.push_str(name);
            self.out.push_str("\":");
        }
        self.value(value)
    }

    fn end(self) -> Done {
        if !self.is_raw {
            self.out.push('}');
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::domain::{affiliate::Status, id::AffiliateId, money::Currency, time::Time};

    #[derive(serde::Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Inner {
        amount_paid: crate::domain::money::Money,
        status: Status,
        at: Time,
        id: AffiliateId,
    }

    #[derive(serde::Serialize)]
    struct Outer<'a> {
        #[serde(flatten)]
        inner: Inner,
        texts: Vec<&'a str>,
        none: Option<i64>,
        some: Option<u64>,
        empty: Vec<bool>,
        flags: Vec<bool>,
        raw: &'a serde_json::value::RawValue,
        map: BTreeMap<&'a str, i64>,
    }

    #[test]
    fn the_same_text_as_serde_jsons() {
        let raw = serde_json::value::RawValue::from_string(r#"{"as": ["given"]}"#.into()).unwrap();
        let inner = Inner {
            amount_paid: Currency::parse("USD").unwrap().of(-90_050),
            status: Status::Pending,
            at: Time::from_ms(1_687_098_330_999),
            id: AffiliateId::new(77),
        };
        let texts =
            vec!["", "plain", "é ü 漢 \u{7f}", "a \"quote\"", "back\\slash", "\u{0}\u{1f}\n\t\r\u{8}", "</script>"];
        let (flags, map) = (vec![true, false], BTreeMap::from([("a\"b", -1), ("c", i64::MIN)]));
        let outer = Outer { inner, texts, none: None, some: Some(0), empty: vec![], flags, raw: &raw, map };
        let mut out = String::new();
        append(&mut out, &outer).unwrap();
        assert_eq!(out, serde_json::to_string(&outer).unwrap());
    }

    #[test]
    fn what_no_answer_holds_is_refused() {
        let mut out = String::new();
        assert!(append(&mut out, &0.5).is_err());
        assert!(append(&mut out, &BTreeMap::from([(1, "x")])).is_err());
        assert!(append(&mut out, &(1, 2)).is_err());
    }
}
