//! Sign-ups and invitations nobody has answered, and the companies they leave behind: forgotten after a while, so that an
//! address and a company's name are not held for ever by whoever typed them first.

use jiff::Timestamp;

use super::{Member, People, record, store};
use crate::accounts::sessions::NOBODY;
use crate::audit;
use crate::base::id::CompanyId;
use crate::base::{Error, Result};

/// Most people, and most companies, of one turn.
const AT_ONCE: i64 = 500;

impl People {
    /// Forgets people who have not proven their address in time, but for those who are barred, and companies that wait
    /// for approval and have nobody left to wait; says how many of both. On many instances at once each goes once.
    ///
    /// # Errors
    /// `Unavailable` when the database is out of reach.
    pub async fn sweep(&self) -> Result<usize> {
        let now = self.clock.now();
        let before = now.checked_sub(self.unproven).unwrap_or(Timestamp::MIN);
        let people = self.db.transact(move |conn| {
            Box::pin(async move {
                let gone = store::lock_unproven(conn, before, AT_ONCE).await?;
                store::delete(conn, gone.iter().map(|member| member.person.id).collect()).await?;
                let forgotten = |Member { person, .. }: &Member| {
                    record(NOBODY.into(), person, "account.forgotten", now, &serde_json::json!({"email": person.email}))
                };
                audit::record(conn, gone.iter().map(forgotten).collect::<Result<_>>()?).await?;
                Ok(gone.len())
            })
        });
        let people = people.await?;
        let empty = self.db.read(move |conn| Box::pin(store::list_empty(conn, before, AT_ONCE))).await?;
        let mut companies = 0;
        for company in empty {
            companies += usize::from(self.forget_company(company).await?);
        }
        Ok(people + companies)
    }

    /// Each in a transaction of its own: one that something else belongs to stays, and keeps no other one.
    async fn forget_company(&self, company: CompanyId) -> Result<bool> {
        let now = self.clock.now();
        let forgotten = self.db.transact(move |conn| {
            Box::pin(async move {
                if !store::delete_company(conn, company).await? {
                    return Ok(false);
                }
                let record = super::staff::about_company(NOBODY.into(), company, "company.forgotten", now)?;
                audit::record(conn, vec![record]).await?;
                Ok(true)
            })
        });
        match forgotten.await {
            Err(Error::Conflict(_)) => Ok(false),
            done => done,
        }
    }
}
