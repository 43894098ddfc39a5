//! Letters to the people who sign in: what became of a company's papers. The words are in `static/mail`.

use std::sync::Arc;

use super::letters::{Rendered, lay_out, one_line, template, web_address};
use super::mailer::{Mail, Mailer};
use crate::accounts::Kyc;
use crate::accounts::kyc::{Addressee, State};
use crate::base::Error;
use crate::base::id::{JobId, KycId};
use crate::jobs::Verdict;

/// Which letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeopleLetter {
    /// A company's papers have come in.
    KycReceived,
    /// They are approved.
    KycApproved,
    /// They are not, and why.
    KycRejected,
}

/// What such a letter may tell. Names and reasons are any text at all.
#[derive(Clone, Debug, Default)]
pub struct PeopleInput {
    /// The person, as they are greeted.
    pub person: String,
    /// Their company.
    pub company: String,
    /// Why, when papers were rejected.
    pub reason: String,
    /// Where the button leads.
    pub page: String,
}

/// Who the letters come from.
const SENDER: &str = "Ordercast";

/// Renders a letter.
#[must_use]
pub fn render(letter: PeopleLetter, input: &PeopleInput) -> Rendered {
    let (template, action) = match letter {
        PeopleLetter::KycReceived => (template!("kyc_received"), "See where it stands"),
        PeopleLetter::KycApproved => (template!("kyc_approved"), "Sign in"),
        PeopleLetter::KycRejected => (template!("kyc_rejected"), "Send it again"),
    };
    let values = vec![
        ("lang", "en".to_owned()),
        ("dir", "ltr".to_owned()),
        ("shop", SENDER.to_owned()),
        ("person", one_line(&input.person)),
        ("company", one_line(&input.company)),
        ("reason", one_line(&input.reason)),
        ("action", action.to_owned()),
        ("page", web_address(&input.page).unwrap_or_default()),
    ];
    lay_out(values, &template)
}

/// Writes to people who sign in. Cheap to clone.
#[derive(Clone)]
pub struct PeopleMail {
    kyc: Kyc,
    mailer: Mailer,
    public_url: Arc<str>,
}

impl PeopleMail {
    /// `public_url` is where people reach us, without a slash at its end.
    #[must_use]
    pub fn new(kyc: Kyc, mailer: Mailer, public_url: &str) -> Self {
        Self { kyc, mailer, public_url: public_url.into() }
    }

    /// Confirms that papers have come in. `job` names the mail, the same for every attempt.
    pub async fn kyc_received(&self, job: JobId, submission: KycId) -> Verdict {
        self.write_kyc(job, submission, |_| Some(PeopleLetter::KycReceived)).await
    }

    /// Tells what was decided; done without a mail when nothing is. `job` as in [`PeopleMail::kyc_received`].
    pub async fn kyc_decided(&self, job: JobId, submission: KycId) -> Verdict {
        let letter = |to: &Addressee| match to.state {
            State::Approved => Some(PeopleLetter::KycApproved),
            State::Rejected => Some(PeopleLetter::KycRejected),
            State::Submitted => None,
        };
        self.write_kyc(job, submission, letter).await
    }

    async fn write_kyc(&self, job: JobId, id: KycId, choose: impl Fn(&Addressee) -> Option<PeopleLetter>) -> Verdict {
        let to = match self.kyc.addressee(id).await {
            Ok(to) => to,
            Err(Error::NotFound(_)) => return Verdict::Done,
            Err(error) => return Verdict::Retry(error),
        };
        let Some(letter) = choose(&to) else { return Verdict::Done };
        // An approved company's people sign in anew: until then their session was good for handing in papers only.
        let path = if letter == PeopleLetter::KycApproved { "/login?next=/kyc" } else { "/kyc" };
        let input = PeopleInput {
            person: to.name.clone(),
            company: to.company,
            reason: to.reason.unwrap_or_default(),
            page: format!("{}{path}", self.public_url),
        };
        let mail = Mail {
            id: job.0,
            to: to.email,
            to_name: Some(one_line(&to.name)),
            from_name: Some(SENDER.to_owned()),
            letter: render(letter, &input),
            unsubscribe_url: None,
        };
        self.mailer.send(&mail).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [PeopleLetter; 3] = [PeopleLetter::KycReceived, PeopleLetter::KycApproved, PeopleLetter::KycRejected];

    fn input() -> PeopleInput {
        PeopleInput {
            person: "Ayesha".into(),
            company: "Juniper & Co.".into(),
            reason: "The certificate has run out.".into(),
            page: "https://t.example/kyc".into(),
        }
    }

    #[test]
    fn each_letter_greets_names_the_company_and_leads_on() {
        for letter in ALL {
            let letter = render(letter, &input());
            assert!(letter.text.starts_with("Hello Ayesha,\n"), "{}", letter.text);
            assert!(letter.text.contains("Juniper & Co.") && letter.html.contains("Juniper &amp; Co."));
            assert!(letter.text.contains("https://t.example/kyc"), "{}", letter.text);
            assert!(letter.html.contains("href=\"https://t.example/kyc\""), "{}", letter.html);
            assert!(
                letter.html.contains("somebody signed up with this address") && !letter.html.contains("your order")
            );
            assert!(!letter.html.contains("{{") && !letter.text.contains("{{"));
        }
        assert!(render(PeopleLetter::KycRejected, &input()).text.contains("The certificate has run out."));
    }

    #[test]
    fn no_value_breaks_out_of_its_place() {
        let evil = "<script>x</script>\"'\r\nBcc: all@example.com\u{202e}{{page}}".to_owned();
        let input = PeopleInput {
            person: evil.clone(),
            company: evil.clone(),
            reason: evil,
            page: "javascript:alert(1)".into(),
        };
        for letter in ALL {
            let letter = render(letter, &input);
            assert!(!letter.html.contains("<script") && !letter.html.contains("javascript:"), "{}", letter.html);
            assert!(!letter.subject.contains(['\r', '\n', '\u{202e}']), "{}", letter.subject);
            assert!(!letter.text.lines().any(|line| line.starts_with("Bcc:")), "{}", letter.text);
        }
    }
}
