//! A value that is kept elsewhere, remembered here, and read again when it is old.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::clock::{Clock, Timestamp};
use crate::error::Error;

/// The minimum time between two reads, whether a value that does not suffice or a failed read causes the second.
const REREAD_COOL_DOWN: Duration = Duration::from_secs(10);

/// Remembers a value that is stored elsewhere, such as the signing keys.
pub struct Refreshed<T> {
    /// What the value is, for the log.
    what: &'static str,
    clock: Clock,
    max_age: Duration,
    known: RwLock<Known<T>>,
    /// Held while the value is read, so that many requests cause one read.
    reading: tokio::sync::Mutex<()>,
}

struct Known<T> {
    /// The value, and when it was read; `None` if it never was.
    value: Option<(Arc<T>, Timestamp)>,
    /// When a read was last tried.
    tried_at: Option<Timestamp>,
}

impl<T> Clone for Known<T> {
    fn clone(&self) -> Self {
        Self { value: self.value.clone(), tried_at: self.tried_at }
    }
}

impl<T> Refreshed<T> {
    /// A value that nobody has read yet. It is read again when it is older than `max_age`.
    #[must_use]
    pub fn new(what: &'static str, max_age: Duration, clock: Clock) -> Self {
        let known = RwLock::new(Known { value: None, tried_at: None });
        Self { what, clock, max_age, known, reading: tokio::sync::Mutex::default() }
    }

    fn known(&self) -> Known<T> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The value. It is read if it is old, or if the known one does not suffice; then at most every 10 s.
    ///
    /// # Errors
    /// That of `read` if no value is known. If a known value cannot be read again, it stays valid, so that a
    /// dependency that is down stops nobody here.
    pub async fn get<'a>(
        &self,
        suffices: impl Fn(&T) -> bool,
        read: impl FnOnce() -> BoxFuture<'a, Result<T, Error>>,
    ) -> Result<Arc<T>, Error> {
        // A request that the known value does not suffice waits for a read that is under way, which may bring a better one.
        let known = self.known();
        if let Some((value, read_at)) = &known.value
            && suffices(value)
            && !self.is_due(&known, *read_at, true)
        {
            return Ok(value.clone());
        }
        let _reading = self.reading.lock().await;
        let known = self.known();
        let Some((value, read_at)) = &known.value else {
            return self.refresh(read()).await;
        };
        if !self.is_due(&known, *read_at, suffices(value)) {
            return Ok(value.clone());
        }
        let refreshed = self.refresh(read()).await;
        Ok(refreshed.unwrap_or_else(|error| {
            tracing::warn!(cause = error.log(), "{} could not be read again", self.what);
            value.clone()
        }))
    }

    fn is_due(&self, known: &Known<T>, read_at: Timestamp, suffices: bool) -> bool {
        let now = self.clock.now();
        let cooling = known.tried_at.is_some_and(|tried_at| now.since(tried_at) < REREAD_COOL_DOWN);
        !cooling && (now.since(read_at) >= self.max_age || !suffices)
    }

    /// Reads the value, even if one is known.
    pub async fn refresh(&self, read: BoxFuture<'_, Result<T, Error>>) -> Result<Arc<T>, Error> {
        let now = self.clock.now();
        self.known.write().unwrap_or_else(PoisonError::into_inner).tried_at = Some(now);
        let value = Arc::new(read.await?);
        *self.known.write().unwrap_or_else(PoisonError::into_inner) =
            Known { value: Some((value.clone(), now)), tried_at: Some(now) };
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    const MAX_AGE: Duration = Duration::from_mins(5);

    #[tokio::test]
    async fn while_a_value_is_read_only_who_needs_a_better_one_waits() {
        let (clock, _) = Clock::manual(Timestamp::from_millis(1_767_323_045_000));
        let number = Refreshed::new("the number", MAX_AGE, clock);
        number.refresh(async { Ok(1) }.boxed()).await.unwrap();
        let get = |least| number.get(move |known| *known >= least, || panic!("the last read is too young"));

        let reading = number.reading.lock().await;
        assert_eq!(get(1).now_or_never().unwrap().ok(), Some(Arc::new(1)));
        assert!(get(2).now_or_never().is_none());
        drop(reading);
        assert_eq!(get(2).now_or_never().unwrap().ok(), Some(Arc::new(1)));
    }

    #[tokio::test]
    async fn an_old_value_is_read_again_and_stays_if_it_cannot_be() {
        let (clock, hand) = Clock::manual(Timestamp::from_millis(1_767_323_045_000));
        let number = Refreshed::new("the number", MAX_AGE, clock);
        let get = async |read: Result<i32, Error>| {
            number.get(|_| true, || async { read }.boxed()).await.ok().map(|number| *number)
        };
        let failed = || Err(Error::unavailable("down"));
        assert_eq!((get(failed()).await, get(Ok(1)).await, get(Ok(2)).await), (None, Some(1), Some(1)));
        hand.advance(MAX_AGE);
        assert_eq!((get(failed()).await, get(Ok(2)).await), (Some(1), Some(1)));
        hand.advance(REREAD_COOL_DOWN);
        assert_eq!(get(Ok(2)).await, Some(2));
    }
}
