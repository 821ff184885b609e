use std::fmt;
use std::marker::PhantomData;

use hub::{ChannelId, IdError, StreamId};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde::{Serialize, Serializer};

/// A table whose keys are ids, in the order of the file: the first Channel of a Stream is the one that
/// URLs without a channel mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ordered<K, V>(pub(crate) Vec<(K, V)>);

impl<K, V> Default for Ordered<K, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: fmt::Display, V: Serialize> Serialize for Ordered<K, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key.to_string(), value)))
    }
}

impl<K, V> Ordered<K, V> {
    /// Whether there is nothing in it.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// An id as a key of a table.
pub(crate) trait Id: Sized {
    type Err: fmt::Display;
    fn parse(text: &str) -> Result<Self, Self::Err>;
}

impl Id for StreamId {
    type Err = IdError;

    fn parse(text: &str) -> Result<Self, IdError> {
        Self::new(text)
    }
}

impl Id for ChannelId {
    type Err = IdError;

    fn parse(text: &str) -> Result<Self, IdError> {
        Self::new(text)
    }
}

impl<'de, K: Id, V: Deserialize<'de>> Deserialize<'de> for Ordered<K, V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Entries(PhantomData))
    }
}

struct Entries<K, V>(PhantomData<(K, V)>);

impl<'de, K: Id, V: Deserialize<'de>> Visitor<'de> for Entries<K, V> {
    type Value = Ordered<K, V>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table of tables, one for each id")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(Key(key)) = map.next_key()? {
            entries.push((key, map.next_value()?));
        }
        Ok(Ordered(entries))
    }
}

struct Key<K>(K);

impl<'de, K: Id> Deserialize<'de> for Key<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text<K>(PhantomData<K>);
        impl<K: Id> Visitor<'_> for Text<K> {
            type Value = Key<K>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an id")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Key<K>, E> {
                K::parse(text).map(Key).map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Text(PhantomData))
    }
}
