//! What those do who run the platform: companies and people barred and let in, roles given and taken.
//!
//! There is always a super admin who can sign in: whoever would take away the last one is refused.

use jiff::Timestamp;

use super::colleagues::{is_open, suspend};
use super::register::take_over;
use super::{Member, People, Person, Role, fields, record, store};
use crate::accounts::companies::{Company, CompanyState};
use crate::accounts::{codes, password, sessions};
use crate::audit::{self, Record};
use crate::base::id::{AccountId, CompanyId};
use crate::base::page::{Cursor, Page};
use crate::base::{Actor, Asker, Error, Result, Secret};
use crate::db::Conn;

/// Which people are looked for.
#[derive(Clone, Debug, Default)]
pub struct Seeking {
    /// Part of a name or an address.
    pub text: Option<String>,
    /// Of this role.
    pub role: Option<Role>,
    /// Of this company.
    pub company: Option<CompanyId>,
}

/// A company as those see it who run the platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The company.
    pub company: Company,
    /// Since when it is here.
    pub created_at: Timestamp,
}

impl People {
    /// People, newest first.
    ///
    /// # Errors
    /// `Unavailable` when the database is out of reach.
    pub async fn list(&self, seeking: Seeking, after: Option<Cursor>, limit: usize) -> Result<Page<Member>> {
        let rows = self.db.read(move |conn| Box::pin(store::list(conn, seeking, after, limit))).await?;
        Ok(page(rows, limit, |member| Cursor { at: member.created_at, id: member.person.id.0 }))
    }

    /// Companies, newest first.
    ///
    /// # Errors
    /// `Unavailable` when the database is out of reach.
    pub async fn list_companies(
        &self,
        state: Option<CompanyState>,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page<Listed>> {
        let rows = self.db.read(move |conn| Box::pin(store::list_companies(conn, state, after, limit))).await?;
        Ok(page(rows, limit, |listed| Cursor { at: listed.created_at, id: listed.company.id.0 }))
    }

    /// Bars a company: its people's sign-ins end at once, and none is opened until it is restored. A pending company that
    /// is restored waits for approval again only if it never had it.
    ///
    /// # Errors
    /// `NotFound` when there is none; `Conflict` when a company that waits for approval is to be restored.
    pub async fn suspend_company(
        &self,
        by: impl Into<Asker>,
        company: CompanyId,
        is_suspended: bool,
    ) -> Result<Listed> {
        let (by, now) = (by.into(), self.clock.now());
        self.db
            .transact(move |conn| {
                Box::pin(async move {
                    let there = store::lock_company(conn, company).await?.ok_or(Error::NotFound("Company"))?;
                    let state = match (there.company.state, is_suspended) {
                        (CompanyState::Suspended, true) | (CompanyState::Active, false) => return Ok(there),
                        (CompanyState::Pending, _) => {
                            let message = "This company waits for its approval; approve or reject its papers.";
                            return Err(Error::conflict("company_pending", message));
                        }
                        (CompanyState::Active, true) => CompanyState::Suspended,
                        (CompanyState::Suspended, false) => CompanyState::Active,
                    };
                    store::set_company_state(conn, company, state).await?;
                    if is_suspended {
                        sessions::end_all_of(conn, company, now, "company_suspended").await?;
                    }
                    let action = if is_suspended { "company.suspended" } else { "company.restored" };
                    audit::record(conn, vec![about_company(by, company, action, now)?]).await?;
                    Ok(Listed { company: Company { state, ..there.company }, ..there })
                })
            })
            .await
    }

    /// Bars a person or lets it in again.
    ///
    /// # Errors
    /// `NotFound` when there is none; `Conflict` when no super admin would be left; `Forbidden` when an admin means a super
    /// admin.
    pub async fn suspend_person(&self, by: impl Into<Asker>, account: AccountId, is_suspended: bool) -> Result<Member> {
        let (by, now) = (by.into(), self.clock.now());
        self.db
            .transact(move |conn| {
                Box::pin(async move {
                    let there = store::find(conn, account).await?.ok_or(Error::NotFound("Person"))?;
                    if there.person.role.is_staff() && !decides_about_staff(&by) {
                        return Err(only_super_admins());
                    }
                    if is_suspended {
                        keep_a_super_admin(conn, &there.person).await?;
                    }
                    suspend(conn, by, there, is_suspended, now).await
                })
            })
            .await
    }

    /// Gives a person another role. Its sign-ins end: it comes in anew with what it may do now.
    ///
    /// # Errors
    /// `NotFound` when there is no such person or company; `Invalid` when a vendor would be of no company; `Forbidden` to
    /// anybody but super admins; `Conflict` when no super admin would be left.
    pub async fn set_role(
        &self,
        by: impl Into<Asker>,
        account: AccountId,
        role: Role,
        company: Option<CompanyId>,
    ) -> Result<Member> {
        let (by, now) = (by.into(), self.clock.now());
        if !decides_about_staff(&by) {
            return Err(only_super_admins());
        }
        self.db
            .transact(move |conn| {
                Box::pin(async move {
                    let there = store::find(conn, account).await?.ok_or(Error::NotFound("Person"))?;
                    let company = place_of(conn, &there.person, role, company).await?;
                    if there.person.role == role && there.person.company == company {
                        return Ok(there);
                    }
                    if role != Role::SuperAdmin {
                        keep_a_super_admin(conn, &there.person).await?;
                    }
                    store::set_role(conn, account, role, company).await?;
                    sessions::end_all(conn, account, None, now, "role_changed").await?;
                    let detail = serde_json::json!({
                        "from": there.person.role.code(),
                        "to": role.code(),
                        "from_company": there.person.company,
                        "to_company": company,
                    });
                    let record = record(by, &there.person, "account.role_changed", now, &detail)?;
                    audit::record(conn, vec![record]).await?;
                    Ok(Member { person: Person { role, company, ..there.person }, ..there })
                })
            })
            .await
    }

    /// Makes somebody who runs the platform, from the command line.
    ///
    /// # Errors
    /// `Invalid` when a field breaks a rule; `Conflict` when somebody has proven the address already.
    pub async fn create_staff(
        &self,
        by: Actor,
        role: Role,
        email: &str,
        name: &str,
        password: Secret,
    ) -> Result<Person> {
        password::check(&password)?;
        let (email, name, now) = (fields::read_email(email)?, fields::read_name(name)?, self.clock.now());
        let hash = self.passwords.hash(password).await?;
        let person = Person { id: AccountId::new(), email, name, role, company: None };
        self.db
            .transact(move |conn| Box::pin(async move { install(conn, |_| by.into(), person, &hash, now).await }))
            .await
    }

    /// Gives somebody a new password from the command line, and a way back in: proven, unlocked, not barred. All its
    /// sign-ins end.
    ///
    /// # Errors
    /// `Invalid` when the password breaks a rule; `NotFound` when nobody has the address.
    pub async fn rescue(&self, by: Actor, email: &str, password: Secret) -> Result<Person> {
        password::check(&password)?;
        let (email, now) = (fields::fold(email), self.clock.now());
        let hash = self.passwords.hash(password).await?;
        self.db
            .transact(move |conn| {
                Box::pin(async move {
                    let there = store::lock_by_email(conn, &email).await?.ok_or(Error::NotFound("Account"))?;
                    let person = there.person;
                    store::set_password(conn, person.id, &hash).await?;
                    store::set_verified(conn, person.id, now).await?;
                    store::set_suspended(conn, person.id, None).await?;
                    sessions::unlock(conn, person.id).await?;
                    sessions::end_all(conn, person.id, None, now, "password_reset").await?;
                    let detail = serde_json::json!({"by": "command line"});
                    audit::record(conn, vec![record(by.into(), &person, "account.password_reset", now, &detail)?])
                        .await?;
                    Ok(person)
                })
            })
            .await
    }
}

/// Writes somebody who runs the platform, proven and with a password. A sign-up or an invitation of the address that
/// nobody has proven gives way.
///
/// # Errors
/// `Conflict` when the address is somebody's; the transaction must not be committed then.
pub(in crate::accounts) async fn install(
    conn: &mut Conn,
    by: impl FnOnce(&Person) -> Asker,
    mut person: Person,
    hash: &str,
    now: Timestamp,
) -> Result<Person> {
    match store::lock_claim(conn, &person.email).await? {
        Some(there) if is_open(&there) => {
            person.id = there.person.id;
            take_over(conn, &there, (&person, hash), now).await?;
            codes::withdraw_all(conn, person.id).await?;
            store::set_verified(conn, person.id, now).await?;
        }
        _ => store::insert(conn, &person, hash, Some(now), now).await?,
    }
    let detail = serde_json::json!({"email": person.email, "role": person.role.code()});
    audit::record(conn, vec![record(by(&person), &person, "account.set_up", now, &detail)?]).await?;
    Ok(person)
}

/// A vendor is of a company, and nobody else is.
async fn place_of(
    conn: &mut Conn,
    person: &Person,
    role: Role,
    company: Option<CompanyId>,
) -> Result<Option<CompanyId>> {
    if role.is_staff() {
        return Ok(None);
    }
    let company = company.or(person.company).ok_or_else(|| {
        Error::invalid_field("company", "company_required", "company is required: a vendor works for one")
    })?;
    store::lock_company(conn, company)
        .await?
        .ok_or_else(|| Error::invalid_field("company", "unknown_company", "company must be the id of a company"))?;
    Ok(Some(company))
}

async fn keep_a_super_admin(conn: &mut Conn, person: &Person) -> Result<()> {
    if person.role != Role::SuperAdmin {
        return Ok(());
    }
    // Locked, so that two who take each other's role away at once do not both succeed.
    let able = store::lock_super_admins(conn).await?;
    if able.iter().any(|other| *other != person.id) {
        return Ok(());
    }
    Err(Error::conflict("last_super_admin", "This is the last super admin who can sign in."))
}

fn decides_about_staff(by: &Asker) -> bool {
    matches!(by.actor, Actor::Admin { is_super: true, .. })
}

fn only_super_admins() -> Error {
    Error::Forbidden("This is for super admins.".into())
}

pub(super) fn about_company(by: Asker, company: CompanyId, action: &'static str, at: Timestamp) -> Result<Record> {
    Ok(Record {
        actor: by.actor,
        at,
        company: Some(company),
        subject: "company",
        subject_id: company.to_string(),
        action,
        request_id: by.request_id,
        detail: audit::detail(&serde_json::json!({}))?,
    })
}

/// Rows are read one more than asked for: that one tells that there is a next page.
fn page<T>(mut rows: Vec<T>, limit: usize, cursor: impl Fn(&T) -> Cursor) -> Page<T> {
    let is_more = rows.len() > limit;
    rows.truncate(limit);
    let next = if is_more { rows.last().map(cursor) } else { None };
    Page { data: rows, next }
}
