//! E-mail claims: each gives an e-mail address to one account.

use super::storage::{Item, Key, Table, Transaction};
use crate::error::Error;
use crate::model::{Email, UserId};

/// The attribute that names the account.
pub const USER_ID: &str = "UserId";

impl Table {
    /// The id of the account that is registered under an e-mail address, however that is spelled: see
    /// [`Email::normalized`]. `None` if there is none.
    pub async fn user_id_of(&self, email: &Email) -> Result<Option<UserId>, Error> {
        let claim = self.get(Key::email_claim(email.normalized())).await?;
        claim.map(|claim| user_id(&claim)).transpose()
    }

    /// Opens the connection to the table with the cheapest possible read.
    pub async fn open_connection(&self) -> Result<(), Error> {
        self.get(Key::no_email_claim()).await.map(drop)
    }
}

/// Demands that the address still names the account that was found under it.
#[must_use]
pub fn demand_holder(transaction: Transaction, email: &Email, user: &UserId) -> Transaction {
    transaction.demand_that(Key::email_claim(email.normalized()), (USER_ID, user.as_str()))
}

/// The account that a claim names.
pub fn user_id(claim: &Item) -> Result<UserId, Error> {
    claim.required(USER_ID)
}
