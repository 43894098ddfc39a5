//! The people of one company, looked after by themselves: inviting, renaming, barring and removing colleagues.

use jiff::Timestamp;

use super::{Member, People, Person, Role, fields, record, store};
use crate::accounts::{codes, sessions};
use crate::audit;
use crate::base::id::{AccountId, CompanyId};
use crate::base::{Actor, Error, Result};
use crate::db::Conn;
use crate::jobs::CodePurpose;

impl People {
    /// The people of a company, longest there first.
    ///
    /// # Errors
    /// `Unavailable` when the database is out of reach.
    pub async fn list_colleagues(&self, company: CompanyId) -> Result<Vec<Member>> {
        self.db.read(move |conn| Box::pin(store::list_of_company(conn, company))).await
    }

    /// Invites somebody into a company by a code that is mailed; it chooses its password with that code.
    ///
    /// # Errors
    /// `Invalid` when a field breaks a rule; `Conflict` when the address belongs to somebody.
    pub async fn invite(
        &self,
        by: Actor,
        company: Option<CompanyId>,
        role: Role,
        email: &str,
        name: &str,
    ) -> Result<Member> {
        let (email, name, now) = (fields::read_email(email)?, fields::read_name(name)?, self.clock.now());
        let person = Person { id: AccountId::new(), email, name, role, company };
        self.db
            .transact(move |conn| {
                Box::pin(async move {
                    store::insert(conn, &person, "", None, now).await?;
                    let detail = serde_json::json!({"email": person.email, "role": role.code()});
                    audit::record(conn, vec![record(by, &person, "account.invited", now, &detail)?]).await?;
                    codes::ask(conn, person.id, CodePurpose::Invite, now).await?;
                    Ok(Member { person, is_verified: false, suspended_at: None, created_at: now })
                })
            })
            .await
    }

    /// Mails the invitation of a colleague again. Not more than once a minute, which is no error.
    ///
    /// # Errors
    /// `NotFound` when the company has no such person; `Conflict` when it has come in already.
    pub async fn invite_again(&self, company: CompanyId, account: AccountId) -> Result<()> {
        let now = self.clock.now();
        self.db
            .transact(move |conn| {
                Box::pin(async move {
                    let there = colleague(conn, company, account).await?;
                    if there.is_verified {
                        return Err(Error::conflict("already_in", "This person has accepted the invitation already."));
                    }
                    codes::ask(conn, account, CodePurpose::Invite, now).await?;
                    Ok(())
                })
            })
            .await
    }

    /// A person of the company.
    ///
    /// # Errors
    /// `NotFound` when the company has no such person.
    pub async fn get_colleague(&self, company: CompanyId, account: AccountId) -> Result<Member> {
        self.db.read(move |conn| Box::pin(colleague(conn, company, account))).await
    }

    /// Bars a colleague from signing in, or lets it in again. Its sign-ins end at once.
    ///
    /// # Errors
    /// `NotFound` when the company has no such person; `Conflict` when nobody would be left who can sign in.
    pub async fn suspend_colleague(
        &self,
        by: Actor,
        company: CompanyId,
        account: AccountId,
        is_suspended: bool,
    ) -> Result<Member> {
        let now = self.clock.now();
        self.db
            .transact(move |conn| {
                Box::pin(async move {
                    let there = colleague(conn, company, account).await?;
                    if is_suspended {
                        require_another(conn, company, account).await?;
                    }
                    suspend(conn, by, there, is_suspended, now).await
                })
            })
            .await
    }

    /// Removes a colleague: it signs in no more, and its address is free for another account.
    ///
    /// # Errors
    /// As [`People::suspend_colleague`].
    pub async fn remove_colleague(&self, by: Actor, company: CompanyId, account: AccountId) -> Result<()> {
        let now = self.clock.now();
        self.db
            .transact(move |conn| {
                Box::pin(async move {
                    let there = colleague(conn, company, account).await?;
                    require_another(conn, company, account).await?;
                    sessions::end_all(conn, account, None, now, "removed").await?;
                    store::remove(conn, account, now).await?;
                    let detail = serde_json::json!({"email": there.person.email});
                    audit::record(conn, vec![record(by, &there.person, "account.removed", now, &detail)?]).await
                })
            })
            .await
    }
}

/// Another company's people do not exist for this one.
async fn colleague(conn: &mut Conn, company: CompanyId, account: AccountId) -> Result<Member> {
    let found = store::find(conn, account).await?.filter(|member| member.person.company == Some(company));
    found.ok_or(Error::NotFound("Person"))
}

async fn require_another(conn: &mut Conn, company: CompanyId, account: AccountId) -> Result<()> {
    let able = store::lock_able(conn, company).await?;
    if able.iter().any(|other| *other != account) {
        return Ok(());
    }
    Err(Error::conflict("last_person", "This is the last person of the company who can sign in."))
}

/// Bars a person or lets it in again; the same twice changes nothing.
pub(super) async fn suspend(conn: &mut Conn, by: Actor, there: Member, bar: bool, now: Timestamp) -> Result<Member> {
    if there.suspended_at.is_some() == bar {
        return Ok(there);
    }
    let suspended_at = bar.then_some(now);
    store::set_suspended(conn, there.person.id, suspended_at).await?;
    if bar {
        sessions::end_all(conn, there.person.id, None, now, "suspended").await?;
    }
    let action = if bar { "account.suspended" } else { "account.restored" };
    audit::record(conn, vec![record(by, &there.person, action, now, &serde_json::json!({}))?]).await?;
    Ok(Member { suspended_at, ..there })
}
