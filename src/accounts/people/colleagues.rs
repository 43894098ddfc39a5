//! The people of one company, looked after by themselves: inviting, renaming, barring and removing colleagues.

use jiff::Timestamp;

use super::register::{claim, turn_away};
use super::{Member, People, Person, Role, fields, record, store};
use crate::accounts::{codes, sessions};
use crate::audit;
use crate::base::id::{AccountId, CompanyId};
use crate::base::{Asker, Error, Result};
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

    /// Invites somebody into a company, or to run the platform, by a code that is mailed; it chooses its password with
    /// that code. A sign-up or an invitation of the address that nobody has proven gives way.
    ///
    /// A company is answered the same when the address is somebody else's: the owner gets a letter that says so, and the
    /// invitation stays unanswered.
    ///
    /// # Errors
    /// `Invalid` when a field breaks a rule; `Conflict` when the company has the person already, or, for those who run the
    /// platform, when the address is taken; `TooMany` when the company has sent too many invitations today.
    pub async fn invite(
        &self,
        by: impl Into<Asker>,
        company: Option<CompanyId>,
        role: Role,
        email: &str,
        name: &str,
    ) -> Result<Member> {
        let by = by.into();
        let (email, name) = (fields::read_email(email)?, fields::read_name(name)?);
        let person = Person { id: AccountId::new(), email, name, role, company };
        match self.try_invite(by.clone(), person.clone()).await {
            // Somebody else may have taken the address in the very same moment; now it is seen to be taken.
            Err(Error::Conflict(_)) => self.try_invite(by, person).await,
            done => done,
        }
    }

    async fn try_invite(&self, by: Asker, mut person: Person) -> Result<Member> {
        let now = self.clock.now();
        self.db
            .transact(move |conn| {
                Box::pin(async move {
                    if let Some(company) = person.company {
                        let people = store::list_of_company(conn, company).await?;
                        if people.iter().any(|other| other.person.email == person.email) {
                            return Err(taken());
                        }
                        count_letter(conn, &people, now).await?;
                    }
                    match store::lock_claim(conn, &person.email).await? {
                        None => {
                            store::insert(conn, &person, "", None, now).await?;
                            codes::ask(conn, person.id, CodePurpose::Invite, now).await?;
                        }
                        Some(there) if is_open(&there) => {
                            person.id = there.person.id;
                            claim(conn, &there, (&person, ""), CodePurpose::Invite, now).await?;
                        }
                        Some(_) if person.company.is_none() => return Err(taken()),
                        Some(there) => {
                            store::insert_idle(conn, &person, now).await?;
                            turn_away(conn, there.person.id, now).await?;
                        }
                    }
                    let detail = serde_json::json!({"email": person.email, "role": person.role.code()});
                    audit::record(conn, vec![record(by, &person, "account.invited", now, &detail)?]).await?;
                    Ok(Member { person, is_verified: false, suspended_at: None, created_at: now })
                })
            })
            .await
    }

    /// Mails the invitation of a colleague again. Not more than once a minute, which is no error.
    ///
    /// # Errors
    /// `NotFound` when the company has no such person; `Conflict` when it has come in already; `TooMany` when the company
    /// has sent too many invitations today.
    pub async fn invite_again(&self, by: impl Into<Asker>, company: CompanyId, account: AccountId) -> Result<()> {
        let (by, now) = (by.into(), self.clock.now());
        self.db
            .transact(move |conn| {
                Box::pin(async move {
                    let there = colleague(conn, company, account).await?;
                    if there.is_verified {
                        return Err(Error::conflict("already_in", "This person has accepted the invitation already."));
                    }
                    let people = store::list_of_company(conn, company).await?;
                    count_letter(conn, &people, now).await?;
                    let detail = serde_json::json!({"email": there.person.email});
                    let record = record(by, &there.person, "account.invited_again", now, &detail)?;
                    audit::record(conn, vec![record]).await?;
                    match store::lock_claim(conn, &there.person.email).await? {
                        Some(owner) if owner.person.id != account => turn_away(conn, owner.person.id, now).await,
                        Some(_) => codes::ask(conn, account, CodePurpose::Invite, now).await.map(drop),
                        None => Ok(()),
                    }
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
        by: impl Into<Asker>,
        company: CompanyId,
        account: AccountId,
        is_suspended: bool,
    ) -> Result<Member> {
        let (by, now) = (by.into(), self.clock.now());
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
    pub async fn remove_colleague(&self, by: impl Into<Asker>, company: CompanyId, account: AccountId) -> Result<()> {
        let (by, now) = (by.into(), self.clock.now());
        self.db
            .transact(move |conn| {
                Box::pin(async move {
                    let there = colleague(conn, company, account).await?;
                    require_another(conn, company, account).await?;
                    sessions::end_all(conn, account, None, now, "removed").await?;
                    store::remove(conn, &there, now).await?;
                    let detail = serde_json::json!({"email": there.person.email});
                    audit::record(conn, vec![record(by, &there.person, "account.removed", now, &detail)?]).await
                })
            })
            .await
    }
}

/// Letters of a company that invite, in a day.
const LETTERS_A_DAY: i32 = 50;
/// What a company's letters are counted as, under the person who is there longest.
const LETTERS: &str = "invitations";

async fn count_letter(conn: &mut Conn, people: &[Member], now: Timestamp) -> Result<()> {
    let Some(oldest) = people.first() else { return Ok(()) };
    if codes::count(conn, oldest.person.id, LETTERS, LETTERS_A_DAY, now).await? {
        return Ok(());
    }
    Err(Error::TooMany { retry_after: 3600 })
}

/// Whether nobody has proven the address, and nobody was barred with it.
pub(super) fn is_open(there: &Member) -> bool {
    !there.is_verified && !there.person.role.is_staff() && (there.suspended_at.is_none() || there.is_gone())
}

fn taken() -> Error {
    Error::conflict("email_taken", "An account with this e-mail address exists already.")
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
pub(super) async fn suspend(conn: &mut Conn, by: Asker, there: Member, bar: bool, now: Timestamp) -> Result<Member> {
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
