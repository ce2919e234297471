//! Shapes of JSON that a request must have.

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error},
};
use serde_json::{Map, Value};

/// An object within a body, and no list of its fields: `[]` must not pass for a filter that lets everything pass.
pub fn object<'de, D: Deserializer<'de>, T: DeserializeOwned>(sent: D) -> Result<T, D::Error> {
    let fields = Map::deserialize(sent)?;
    T::deserialize(Value::Object(fields)).map_err(D::Error::custom)
}

/// The same where it may be absent.
pub fn optional_object<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    sent: D,
) -> Result<Option<T>, D::Error> {
    let fields = Option::<Map<String, Value>>::deserialize(sent)?;
    let read = fields.map(|fields| T::deserialize(Value::Object(fields)));
    read.transpose().map_err(D::Error::custom)
}

/// The same of a list of them.
pub fn objects<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    sent: D,
) -> Result<Vec<T>, D::Error> {
    let items = Vec::<Map<String, Value>>::deserialize(sent)?;
    let read = items
        .into_iter()
        .map(|fields| T::deserialize(Value::Object(fields)));
    read.collect::<Result<_, _>>().map_err(D::Error::custom)
}
