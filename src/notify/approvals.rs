//! Letters about steps that wait for a second person: to those who may decide, and to whoever asked.

use std::sync::Arc;

use super::letters::{Rendered, lay_out, one_line, template, web_address};
use super::mailer::{Mail, Mailer};
use crate::accounts::{Companies, Member, People};
use crate::base::id::{AccountId, HeldId, JobId};
use crate::base::{Actor, Error, Result};
use crate::jobs::{Job, Jobs, Verdict};
use crate::orders::workflow::{Gate, Held, State};
use crate::orders::{Approvals, OrderRef, Timeline};

/// Writes about approvals. Cheap to clone.
#[derive(Clone)]
pub struct ApprovalMail {
    approvals: Approvals,
    timeline: Timeline,
    people: People,
    companies: Companies,
    jobs: Jobs,
    mailer: Mailer,
    public_url: Arc<str>,
}

/// Who the letters come from.
const SENDER: &str = "Ordercast";
const MAIL: Actor = Actor::System("mail");

impl ApprovalMail {
    /// `public_url` is where people reach us, without a slash at its end.
    #[must_use]
    pub fn new(
        (approvals, timeline): (Approvals, Timeline),
        (people, companies): (People, Companies),
        jobs: Jobs,
        mailer: Mailer,
        public_url: &str,
    ) -> Self {
        Self { approvals, timeline, people, companies, jobs, mailer, public_url: public_url.into() }
    }

    /// Queues a letter for each of the company's people who may decide.
    pub async fn queue(&self, held: HeldId) -> Verdict {
        verdict(self.queue_all(held).await)
    }

    async fn queue_all(&self, id: HeldId) -> Result<()> {
        let held = self.approvals.get(&MAIL, id, Gate::Approval).await?;
        if held.state != State::Waiting {
            return Ok(());
        }
        let able =
            |member: &Member| member.is_verified && member.suspended_at.is_none() && member.person.id != held.asked_by;
        for member in self.people.list_colleagues(held.company).await?.into_iter().filter(able) {
            self.jobs.push(Job::ApprovalLetter { held: id, account: member.person.id }).await?;
        }
        Ok(())
    }

    /// Asks one person to decide; done without a mail when it is decided already. `job` names the mail, the same for
    /// every attempt.
    pub async fn wanted(&self, job: JobId, held: HeldId, account: AccountId) -> Verdict {
        let is_open = |held: &Held| held.state == State::Waiting;
        self.write(job, held, Some(account), is_open).await
    }

    /// Tells whoever asked what was decided. `job` as in [`ApprovalMail::wanted`].
    pub async fn decided(&self, job: JobId, held: HeldId) -> Verdict {
        self.write(job, held, None, |held| held.state != State::Waiting).await
    }

    async fn write(
        &self,
        job: JobId,
        id: HeldId,
        to: Option<AccountId>,
        is_due: impl Fn(&Held) -> bool + Send,
    ) -> Verdict {
        let composed = async {
            let held = self.approvals.get(&MAIL, id, Gate::Approval).await?;
            if !is_due(&held) {
                return Ok(None);
            }
            self.compose(job, &held, to).await.map(Some)
        };
        match composed.await {
            Ok(Some(mail)) => self.mailer.send(&mail).await,
            Ok(None) => Verdict::Done,
            Err(error) => verdict(Err(error)),
        }
    }

    async fn compose(&self, job: JobId, held: &Held, to: Option<AccountId>) -> Result<Mail> {
        let person = self.people.get(to.unwrap_or(held.asked_by)).await?.person;
        let company = self.companies.get(&held.company.to_string()).await?.name;
        let number = self.timeline.get_order(&MAIL, &OrderRef::Id(held.order)).await?.number;
        let page = format!("{}/start", self.public_url);
        let letter = render(held, to.is_some(), &person.name, &company, &number, &page);
        Ok(Mail {
            id: job.0,
            to: person.email,
            to_name: Some(one_line(&person.name)),
            from_name: Some(SENDER.to_owned()),
            letter,
            unsubscribe_url: None,
        })
    }
}

/// What is gone needs no letter.
fn verdict(done: Result<()>) -> Verdict {
    match done {
        Ok(()) | Err(Error::NotFound(_)) => Verdict::Done,
        Err(error) => Verdict::Retry(error),
    }
}

/// The letter about a move: the question, or what was decided.
fn render(held: &Held, is_question: bool, person: &str, company: &str, number: &str, page: &str) -> Rendered {
    let (template, action) = if is_question {
        (template!("approval_wanted"), "Decide")
    } else {
        (template!("approval_decided"), "See your orders")
    };
    let values = vec![
        ("lang", "en".to_owned()),
        ("dir", "ltr".to_owned()),
        ("shop", SENDER.to_owned()),
        ("person", one_line(person)),
        ("company", one_line(company)),
        ("number", one_line(number)),
        ("asker", one_line(&held.asked_by_name)),
        ("from", held.from.facts().label.to_owned()),
        ("status", held.to.facts().label.to_owned()),
        ("due", held.due_at.strftime("%A %-d %B at %H:%M UTC").to_string()),
        ("verdict", held.state.code().to_owned()),
        ("reason", held.reason.as_deref().map(one_line).unwrap_or_default()),
        ("action", action.to_owned()),
        ("page", web_address(page).unwrap_or_default()),
    ];
    lay_out(values, &template)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::{CompanyId, OrderId};
    use crate::orders::Status;
    use crate::orders::workflow::held::Wished;

    fn held(state: State, name: &str, reason: Option<&str>) -> Held {
        let at = "2026-11-21T09:00:00Z".parse().unwrap();
        Held {
            id: HeldId::new(),
            order: OrderId::new(),
            company: CompanyId::new(),
            gate: Gate::Approval,
            from: Status::Packed,
            to: Status::Shipped,
            wish: Wished::default(),
            seq: 1,
            asked_by: AccountId::new(),
            asked_by_name: name.to_owned(),
            asked_at: at,
            due_at: at,
            state,
            tries: 0,
            decided_by: None,
            decided_at: None,
            reason: reason.map(str::to_owned),
        }
    }

    #[test]
    fn the_question_names_who_asks_for_what_and_until_when() {
        let page = "https://t.example/start";
        let letter = render(&held(State::Waiting, "Ayesha", None), true, "Jane", "Juniper & Co.", "MB1031", page);
        assert_eq!(letter.subject, "Please decide about order MB1031");
        for part in ["Hello Jane,", "Ayesha wants to move order MB1031", "Saturday 21 November at 09:00 UTC", page] {
            assert!(letter.text.contains(part), "{part}: {}", letter.text);
        }
        assert!(!letter.text.contains("{{") && !letter.html.contains("{{"));
    }

    #[test]
    fn the_answer_tells_the_verdict_and_why_and_no_value_breaks_out() {
        let evil = "<script>x</script>\r\nBcc: all@example.com";
        let letter =
            render(&held(State::Refused, evil, Some(evil)), false, evil, evil, "MB1031", "javascript:alert(1)");
        assert_eq!(letter.subject, "Order MB1031: your request was refused");
        assert!(!letter.html.contains("<script") && !letter.html.contains("javascript:"), "{}", letter.html);
        assert!(!letter.text.lines().any(|line| line.starts_with("Bcc:")), "{}", letter.text);
    }
}
