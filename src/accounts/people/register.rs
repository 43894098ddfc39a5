//! Signing up: a company that waits for approval and its first person, whose address a code must prove.
//!
//! Whoever signs up learns nothing of who else has: an address that is taken gets the same reply, after the same work,
//! and its owner a letter that says so. Until an address is proven, whoever signs up with it last is who its code proves.

use jiff::Timestamp;
use tokio::time::Instant;

use super::{Member, People, Person, Role, fields, record, store};
use crate::accounts::companies::{Company, CompanyState};
use crate::accounts::{codes, password};
use crate::audit;
use crate::base::id::{AccountId, CompanyId};
use crate::base::{Error, Result, Secret};
use crate::db::Conn;
use crate::jobs::{self, CodePurpose, Job};

/// What somebody signs up with.
#[derive(Clone, Debug)]
pub struct SignUp {
    /// The company's name.
    pub company_name: String,
    /// The person's address.
    pub email: String,
    /// What it will sign in with.
    pub password: Secret,
}

/// What a sign-up is answered with, whether or not the address was free.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedUp {
    /// The account; of an address that is known already an identifier that leads nowhere, another one each time.
    pub id: AccountId,
    /// As it is kept.
    pub company_name: String,
    /// As it is kept.
    pub email: String,
}

/// The kind of letter that tells of a taken address, among those an account is sent.
const TAKEN: &str = "taken";

impl People {
    /// Signs a company and its first person up, and mails the person a code.
    ///
    /// # Errors
    /// `Invalid` when a field breaks a rule; `Unavailable` when too many sign up at once.
    pub async fn register(&self, new: SignUp, request_id: Option<String>) -> Result<SignedUp> {
        let company_name = fields::read_company_name(&new.company_name)?;
        let email = fields::read_email(&new.email)?;
        password::check(&new.password)?;
        let hash = self.passwords.hash(new.password).await?;
        let (began, wish) = (Instant::now(), SignedUp { id: AccountId::new(), company_name, email });
        let done = match self.sign_up(wish.clone(), hash.clone(), request_id.clone()).await {
            // Somebody else took the address in the very same moment; now it is seen to be taken.
            Err(Error::Conflict(_)) => self.sign_up(wish.clone(), hash, request_id).await,
            done => done,
        };
        password::no_earlier(began).await;
        done.map(|()| wish)
    }

    async fn sign_up(&self, wish: SignedUp, hash: String, request_id: Option<String>) -> Result<()> {
        let now = self.clock.now();
        self.db
            .transact(move |conn| {
                Box::pin(async move {
                    // Locked, so that an address that is being proven at this moment is seen to be.
                    match store::lock_claim(conn, &wish.email).await? {
                        None => create(conn, &wish, &hash, now, request_id).await,
                        Some(there) if there.is_verified || there.person.role.is_staff() => {
                            turn_away(conn, there.person.id, now).await
                        }
                        Some(there) => replace(conn, &there, (&wish, &hash), now, request_id).await,
                    }
                })
            })
            .await
    }
}

async fn create(
    conn: &mut Conn,
    wish: &SignedUp,
    hash: &str,
    now: Timestamp,
    request_id: Option<String>,
) -> Result<()> {
    let company = make_company(conn, &wish.company_name, now).await?;
    let person = Person {
        id: wish.id,
        email: wish.email.clone(),
        name: wish.company_name.clone(),
        role: Role::Vendor,
        company: Some(company),
    };
    store::insert(conn, &person, hash, None, now).await?;
    let detail = serde_json::json!({"email": person.email, "company": wish.company_name});
    audit::record(conn, vec![record(person.asker(request_id), &person, "account.registered", now, &detail)?]).await?;
    codes::ask(conn, wish.id, CodePurpose::Verify, now).await?;
    Ok(())
}

/// A company that waits for approval. Its name in addresses gets a piece of the identifier when another company has it.
async fn make_company(conn: &mut Conn, name: &str, now: Timestamp) -> Result<CompanyId> {
    let id = CompanyId::new();
    let slug = fields::slug(name);
    let tail = id.0.simple().to_string();
    for slug in [slug.clone(), format!("{slug}-{}", &tail[tail.len() - 8..])] {
        let company = Company { id, name: name.to_owned(), slug, state: CompanyState::Pending };
        if store::insert_company(conn, &company, now).await? {
            return Ok(id);
        }
    }
    Err(Error::internal("no free name for a company in addresses"))
}

/// An address nobody has proven belongs to whoever signs up with it next, with a company of its own: an invitation that was
/// not answered is over.
async fn replace(
    conn: &mut Conn,
    there: &Member,
    (wish, hash): (&SignedUp, &str),
    now: Timestamp,
    request_id: Option<String>,
) -> Result<()> {
    let company = match there.person.company {
        Some(company) if !store::is_invited(conn, there.person.id).await? => {
            store::rename_company(conn, company, &wish.company_name).await?;
            company
        }
        _ => make_company(conn, &wish.company_name, now).await?,
    };
    let (name, company) = (wish.company_name.clone(), Some(company));
    let person = Person { name, role: Role::Vendor, company, ..there.person.clone() };
    claim(conn, there, (&person, hash), CodePurpose::Verify, now).await?;
    let detail = serde_json::json!({"company": wish.company_name, "from_company": there.person.company});
    audit::record(conn, vec![record(person.asker(request_id), &person, "account.registered_again", now, &detail)?])
        .await
}

/// Gives a row nobody has proven to whoever has its address now. What was mailed before proves it no more. The row stays,
/// and with it the count of letters: no address is written to without end by claiming it anew.
pub(super) async fn claim(
    conn: &mut Conn,
    there: &Member,
    (person, hash): (&Person, &str),
    purpose: CodePurpose,
    now: Timestamp,
) -> Result<()> {
    take_over(conn, there, (person, hash), now).await?;
    for earlier in CodePurpose::ALL {
        if earlier != purpose {
            codes::withdraw(conn, person.id, earlier).await?;
        }
    }
    if !codes::ask(conn, person.id, purpose, now).await? {
        codes::void(conn, person.id, purpose).await?;
    }
    Ok(())
}

/// Makes another person of a row nobody has proven. A company it was the only sign-up of goes with
/// [`People::sweep`](super::leftovers).
pub(super) async fn take_over(
    conn: &mut Conn,
    there: &Member,
    (person, hash): (&Person, &str),
    now: Timestamp,
) -> Result<()> {
    store::replace(conn, person, hash, now).await?;
    if there.is_gone() {
        store::set_suspended(conn, person.id, None).await?;
    }
    Ok(())
}

/// Tells the owner of a taken address, not too often.
pub(super) async fn turn_away(conn: &mut Conn, account: AccountId, now: Timestamp) -> Result<()> {
    if codes::book(conn, account, TAKEN, now).await? {
        jobs::enqueue(conn, &[Job::TakenLetter { account }], now).await?;
    }
    Ok(())
}
