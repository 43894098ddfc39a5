//! Proving an address by a code, and passwords: forgotten, set anew, changed.
//!
//! Asking for a code is answered before it is looked at, so that neither words nor time tell who is known here. A refused
//! code is answered no earlier than after a fixed while, for the same reason.

use tokio::time::Instant;

use super::{People, fields, record, store};
use crate::accounts::password;
use crate::accounts::sessions::{self, Login};
use crate::accounts::{codes, sessions::unlock};
use crate::audit;
use crate::base::id::AccountId;
use crate::base::{Error, Result, Secret};
use crate::jobs::CodePurpose;

impl People {
    /// Proves a person's address by the code that was mailed there at sign-up.
    ///
    /// # Errors
    /// `Invalid` when the code is not right, or not any more: the same for an address nobody has.
    pub async fn verify(&self, email: &str, code: &str, request_id: Option<String>) -> Result<AccountId> {
        let began = Instant::now();
        let (people, email, code, now) = (self.clone(), fields::fold(email), code.to_owned(), self.clock.now());
        let proven = self.db.transact(move |conn| {
            Box::pin(async move {
                let Some(there) = store::lock_by_email(conn, &email).await? else { return Ok(None) };
                let person = there.person;
                let is_right = people.codes.check(conn, person.id, CodePurpose::Verify, &code).await?;
                if !is_right || there.suspended_at.is_some() {
                    return Ok(None);
                }
                store::set_verified(conn, person.id, now).await?;
                let detail = serde_json::json!({"email": person.email});
                audit::record(conn, vec![record(person.asker(request_id), &person, "account.verified", now, &detail)?])
                    .await?;
                Ok(Some(person.id))
            })
        });
        refuse_late(began, proven.await?).await
    }

    /// Mails a new code for [`People::verify`], if the address waits for one. Done behind the caller's back.
    pub fn request_code(&self, email: &str) {
        self.ask_behind(email, CodePurpose::Verify);
    }

    /// Mails a code for [`People::reset_password`], if somebody has the address. Done behind the caller's back.
    pub fn forgot_password(&self, email: &str) {
        self.ask_behind(email, CodePurpose::Reset);
    }

    fn ask_behind(&self, email: &str, purpose: CodePurpose) {
        let (email, now, db) = (fields::fold(email), self.clock.now(), self.db.clone());
        self.db.runtime().spawn(async move {
            let asked = db.transact(move |conn| {
                Box::pin(async move {
                    let Some(there) = store::lock_by_email(conn, &email).await? else { return Ok(()) };
                    let waits = match purpose {
                        CodePurpose::Verify => !there.is_verified,
                        CodePurpose::Reset | CodePurpose::Invite => true,
                    };
                    if waits && there.suspended_at.is_none() {
                        // Somebody who was invited proves the address by the code of the invitation.
                        let is_invited = !there.is_verified && store::is_invited(conn, there.person.id).await?;
                        let purpose = if is_invited { CodePurpose::Invite } else { purpose };
                        codes::ask(conn, there.person.id, purpose, now).await?;
                    }
                    Ok(())
                })
            });
            asked.await.unwrap_or_else(|error| tracing::error!(%error, "a code could not be asked for"));
        });
    }

    /// Sets a new password by a code that was mailed; ends every sign-in of the person, and proves the address.
    ///
    /// # Errors
    /// `Invalid` when the password breaks a rule or the code is not right, or not any more.
    pub async fn reset_password(
        &self,
        email: &str,
        code: &str,
        password: Secret,
        request_id: Option<String>,
    ) -> Result<AccountId> {
        let began = Instant::now();
        password::check(&password)?;
        // Made before anything is looked up: known and unknown addresses cost the same.
        let hash = self.passwords.hash(password).await?;
        let (people, email, code, now) = (self.clone(), fields::fold(email), code.to_owned(), self.clock.now());
        let done = self.db.transact(move |conn| {
            Box::pin(async move {
                let Some(there) = store::lock_by_email(conn, &email).await? else { return Ok(None) };
                let person = there.person;
                let mut is_right = people.codes.check(conn, person.id, CodePurpose::Reset, &code).await?;
                if !is_right {
                    is_right = people.codes.check(conn, person.id, CodePurpose::Invite, &code).await?;
                }
                if !is_right || there.suspended_at.is_some() {
                    return Ok(None);
                }
                store::set_password(conn, person.id, &hash).await?;
                unlock(conn, person.id).await?;
                if !there.is_verified {
                    store::set_verified(conn, person.id, now).await?;
                }
                sessions::end_all(conn, person.id, None, now, "password_reset").await?;
                let detail = serde_json::json!({"email": person.email});
                audit::record(
                    conn,
                    vec![record(person.asker(request_id), &person, "account.password_reset", now, &detail)?],
                )
                .await?;
                Ok(Some(person.id))
            })
        });
        refuse_late(began, done.await?).await
    }

    /// Changes the password of somebody who has signed in; ends the person's other sign-ins.
    ///
    /// # Errors
    /// `Invalid` when the old one is wrong, which counts as at sign-in, or the new one breaks a rule.
    pub async fn change_password(
        &self,
        login: &Login,
        old: Secret,
        new: Secret,
        request_id: Option<String>,
    ) -> Result<()> {
        password::check(&new).map_err(|error| named(error, "new_password"))?;
        let (account, now) = (login.person.id, self.clock.now());
        let stored = self.db.read(move |conn| Box::pin(store::find_password(conn, account))).await?;
        let stored = stored.unwrap_or_default();
        let is_right = self.passwords.verify(old, Some(stored.clone())).await?;
        let new = if is_right { Some(self.passwords.hash(new).await?) } else { None };
        let (person, kept) = (login.person.clone(), login.id);
        let changed = self.db.transact(move |conn| {
            Box::pin(async move {
                let opens = sessions::settle(conn, person.id, (&stored, is_right), now, request_id.clone()).await?;
                let Some(hash) = new.filter(|_| opens) else { return Ok(false) };
                store::set_password(conn, person.id, &hash).await?;
                sessions::end_all(conn, person.id, Some(kept), now, "password_changed").await?;
                let detail = serde_json::json!({});
                let record = record(person.asker(request_id), &person, "account.password_changed", now, &detail)?;
                audit::record(conn, vec![record]).await?;
                Ok(true)
            })
        });
        if changed.await? {
            return Ok(());
        }
        Err(Error::invalid_field("old_password", "wrong_password", "That is not your password."))
    }
}

async fn refuse_late(began: Instant, proven: Option<AccountId>) -> Result<AccountId> {
    if let Some(account) = proven {
        return Ok(account);
    }
    password::no_earlier(began).await;
    Err(Error::invalid_field("otp", "bad_otp", "Invalid or expired OTP."))
}

/// The refusal of a field, under the name it has in this request.
fn named(error: Error, field: &'static str) -> Error {
    match error {
        Error::Invalid(invalid) => Error::invalid_field(field, invalid.code, invalid.message),
        other => other,
    }
}
