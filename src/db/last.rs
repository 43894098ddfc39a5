//! What a transaction writes at its very end, right before its commit.
//!
//! A row that everybody must lock is locked here, last of all: whoever holds it waits for nothing any more and gives it
//! back at once. The transaction itself does it, so no caller can forget to.

use std::any::Any;
use std::ops::{Deref, DerefMut};

use futures_util::future::BoxFuture;

use super::Conn;
use crate::base::{Error, Result};

/// Something gathered while a transaction runs and written at its end.
pub trait Last: Any + Send {
    /// Writes it.
    ///
    /// # Errors
    /// `Unavailable` or `Internal`; the transaction is rolled back then.
    fn write<'c>(self: Box<Self>, conn: &'c mut Conn) -> BoxFuture<'c, Result<()>>;
}

/// A borrowed connection, and what the body that uses it has left to write.
pub struct Held<C> {
    conn: C,
    last: Vec<Box<dyn Last>>,
}

impl<C> Held<C> {
    pub(super) fn new(conn: C) -> Self {
        Self { conn, last: Vec::new() }
    }
}

impl<C: Deref> Deref for Held<C> {
    type Target = C::Target;

    fn deref(&self) -> &Self::Target {
        &self.conn
    }
}

impl<C: DerefMut> DerefMut for Held<C> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.conn
    }
}

impl Conn {
    fn lasts(&mut self) -> &mut Vec<Box<dyn Last>> {
        match self {
            Self::Postgres(held) => &mut held.last,
            Self::Sqlite(held) => &mut held.last,
        }
    }

    /// What of this kind the transaction will write at its end: one for all its callers.
    ///
    /// # Errors
    /// None in practice; `Internal` were it of another kind than it says.
    pub fn last<T: Last + Default>(&mut self) -> Result<&mut T> {
        let all = self.lasts();
        let at = all.iter().position(|one| (one.as_ref() as &dyn Any).is::<T>()).unwrap_or(all.len());
        if at == all.len() {
            all.push(Box::<T>::default());
        }
        let one = all.get_mut(at).and_then(|one| (one.as_mut() as &mut dyn Any).downcast_mut::<T>());
        one.ok_or_else(|| Error::internal("what a transaction writes last was lost"))
    }

    /// Writes what was left for the end.
    pub(super) async fn write_last(&mut self) -> Result<()> {
        while let Some(one) = self.lasts().pop() {
            one.write(self).await?;
        }
        Ok(())
    }

    /// The outcome of a body that only reads: nothing would ever write what it has left.
    pub(super) fn only_read<T>(&mut self, done: Result<T>) -> Result<T> {
        if self.lasts().is_empty() {
            done
        } else {
            Err(Error::internal("a body that only reads has left a row to write"))
        }
    }
}
