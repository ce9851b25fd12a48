//! Parameters that are left as they are until an operation says what they should be: `PutMetricData` has
//! thousands of values, which need not be anything in between.

use std::{fmt::Display, io::Read};

use flate2::read::GzDecoder;
use http::{HeaderMap, HeaderValue, header::CONTENT_ENCODING};
use serde::de::DeserializeOwned;

use super::cbor;
use crate::error::ApiError;

/// Most bytes of an unpacked body: a small packed one must not fill the memory.
const MOST_UNPACKED: u64 = 1 << 24;

/// What a body is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Cbor,
    Json,
}

/// Parameters, unpacked.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Raw {
    body: Vec<u8>,
    /// Bytes of the body as it was sent: that is what limits are about.
    pub(crate) sent: usize,
    pub(crate) format: Format,
}

impl Raw {
    /// The parameters of a request.
    pub(super) fn new(format: Format, headers: &HeaderMap, body: &[u8]) -> Result<Self, ApiError> {
        let unpacked = match headers.get(CONTENT_ENCODING).map(HeaderValue::as_bytes) {
            None => body.to_vec(),
            Some(b"gzip") => unpack(body)?,
            Some(_) => return Err(malformed(&"The content encoding is not known.")),
        };
        Ok(Self { body: unpacked, sent: body.len(), format })
    }

    /// Of a request that could not be read.
    pub(super) fn none(format: Format) -> Self {
        Self { body: Vec::new(), sent: 0, format }
    }

    /// The parameters as an operation's input.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        match self.format {
            Format::Cbor => cbor::read_body(&self.body).map_err(|error| malformed(&error)),
            Format::Json => serde_json::from_slice(&self.body).map_err(|error| malformed(&error)),
        }
    }
}

fn unpack(body: &[u8]) -> Result<Vec<u8>, ApiError> {
    let mut unpacked = Vec::new();
    let read = GzDecoder::new(body).take(MOST_UNPACKED).read_to_end(&mut unpacked);
    read.map_err(|error| malformed(&error)).map(|_| unpacked)
}

fn malformed(error: &dyn Display) -> ApiError {
    ApiError::refused("SerializationException", error.to_string())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Given {
        a: f64,
    }

    #[test]
    fn bodies_are_unpacked_and_read() {
        let (json, cbor) = (br#"{"a": 1.5}"#.as_slice(), b"\xa1\x61a\xf9\x3e\x00".as_slice());
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(json).expect("packed");
        let packed = packed.finish().expect("packed");
        let good = Some(Given { a: 1.5 });
        let rows = [
            ("JSON", Format::Json, None, json, &good),
            ("CBOR", Format::Cbor, None, cbor, &good),
            ("one for the other", Format::Cbor, None, json, &None),
            ("packed", Format::Json, Some("gzip"), &packed, &good),
            ("packed, but not said", Format::Json, None, &packed, &None),
            ("said, but not packed", Format::Json, Some("gzip"), json, &None),
            ("packed otherwise", Format::Json, Some("br"), &packed, &None),
            ("an unknown parameter", Format::Json, None, br#"{"a": 1.5, "b": 2}"#, &None),
            ("nothing", Format::Cbor, None, b"", &None),
        ];
        for (case, format, encoding, body, expected) in rows {
            let headers = encoding.map(|encoding| (CONTENT_ENCODING, HeaderValue::from_static(encoding)));
            let raw = Raw::new(format, &headers.into_iter().collect(), body);
            let sent = raw.as_ref().map(|raw| raw.sent);
            assert!(sent.is_err() || sent == Ok(body.len()), "{case}: limits are about what was sent");
            let read = raw.and_then(|raw| raw.read::<Given>());
            match expected {
                Some(expected) => assert_eq!(read.as_ref(), Ok(expected), "{case}"),
                None => assert_eq!(
                    read.map_err(|error| error.code),
                    Err("SerializationException".into()),
                    "{case}"
                ),
            }
        }
    }
}
