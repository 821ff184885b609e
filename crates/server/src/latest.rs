//! What is replaced as a whole now and then, and looked at often.

use std::sync::{Arc, PoisonError, RwLock};

/// The newest of some values. Clones are handles to the same.
#[derive(Debug, Default)]
pub(crate) struct Latest<T>(Arc<RwLock<Arc<T>>>);

impl<T> Latest<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(value))))
    }

    /// As it is now.
    pub(crate) fn get(&self) -> Arc<T> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// From now on it is `value`.
    pub(crate) fn set(&self, value: impl Into<Arc<T>>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = value.into();
    }
}

impl<T> Clone for Latest<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}
