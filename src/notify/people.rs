//! Letters to the people who sign in: codes, and what became of a company's papers. The words are in `static/mail`.

use std::sync::Arc;

use super::letters::{Rendered, lay_out, one_line, template, web_address};
use super::mailer::{Mail, Mailer};
use crate::accounts::kyc::{Addressee, State};
use crate::accounts::{Codes, Companies, Kyc, People, Person};
use crate::base::id::{AccountId, JobId, KycId};
use crate::base::{Error, Result};
use crate::jobs::{CodePurpose, Verdict};

/// Which letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeopleLetter {
    /// A company's papers have come in.
    KycReceived,
    /// They are approved.
    KycApproved,
    /// They are not, and why.
    KycRejected,
    /// The code that proves the address of a sign-up.
    VerifyCode,
    /// The code for a new password.
    ResetCode,
    /// The code of an invitation.
    InviteCode,
    /// Somebody tried to sign up with an address that is taken.
    Taken,
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
    /// The one-time code, where the letter brings one.
    pub code: String,
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
        PeopleLetter::VerifyCode => (template!("verify_code"), "Enter the code"),
        PeopleLetter::ResetCode => (template!("reset_code"), "Choose a new password"),
        PeopleLetter::InviteCode => (template!("invite_code"), "Choose your password"),
        PeopleLetter::Taken => (template!("address_taken"), "Sign in"),
    };
    let values = vec![
        ("lang", "en".to_owned()),
        ("dir", "ltr".to_owned()),
        ("shop", SENDER.to_owned()),
        ("person", one_line(&input.person)),
        ("company", one_line(&input.company)),
        ("reason", one_line(&input.reason)),
        ("code", one_line(&input.code)),
        ("action", action.to_owned()),
        ("page", web_address(&input.page).unwrap_or_default()),
    ];
    lay_out(values, &template)
}

/// Writes to people who sign in. Cheap to clone.
#[derive(Clone)]
pub struct PeopleMail {
    kyc: Kyc,
    people: People,
    companies: Companies,
    codes: Codes,
    mailer: Mailer,
    public_url: Arc<str>,
}

impl PeopleMail {
    /// `public_url` is where people reach us, without a slash at its end.
    #[must_use]
    pub fn new(
        kyc: Kyc,
        (people, companies, codes): (People, Companies, Codes),
        mailer: Mailer,
        public_url: &str,
    ) -> Self {
        Self { kyc, people, companies, codes, mailer, public_url: public_url.into() }
    }

    /// Makes the code an account waits for and mails it; done without a mail when it waits for none. `job` as in
    /// [`PeopleMail::kyc_received`].
    pub async fn code(&self, job: JobId, account: AccountId, purpose: CodePurpose) -> Verdict {
        let (letter, path) = match purpose {
            CodePurpose::Verify => (PeopleLetter::VerifyCode, "/signup/verify"),
            CodePurpose::Reset => (PeopleLetter::ResetCode, "/reset"),
            CodePurpose::Invite => (PeopleLetter::InviteCode, "/reset"),
        };
        let code = match self.codes.make(account, purpose).await {
            Ok(Some(code)) => code,
            Ok(None) => return Verdict::Done,
            Err(error) => return Verdict::Retry(error),
        };
        self.write_to(job, account, letter, path, code.expose()).await
    }

    /// Tells the owner of an address that somebody has tried to sign up with it. `job` as above.
    pub async fn taken(&self, job: JobId, account: AccountId) -> Verdict {
        self.write_to(job, account, PeopleLetter::Taken, "/login", "").await
    }

    async fn write_to(&self, job: JobId, account: AccountId, letter: PeopleLetter, path: &str, code: &str) -> Verdict {
        let (person, company) = match self.addressee(account).await {
            Ok(found) => found,
            Err(Error::NotFound(_)) => return Verdict::Done,
            Err(error) => return Verdict::Retry(error),
        };
        let input = PeopleInput {
            person: person.name.clone(),
            company,
            code: code.to_owned(),
            page: format!("{}{path}", self.public_url),
            ..PeopleInput::default()
        };
        self.send(job, person.email, &person.name, render(letter, &input)).await
    }

    /// Whom an account's letters are for, and the name of the company; of those who run the platform there is none.
    async fn addressee(&self, account: AccountId) -> Result<(Person, String)> {
        let person = self.people.get(account).await?.person;
        let company = match person.company {
            Some(company) => self.companies.get(&company.to_string()).await?.name,
            None => String::new(),
        };
        Ok((person, company))
    }

    async fn send(&self, job: JobId, to: String, name: &str, letter: Rendered) -> Verdict {
        let mail = Mail {
            id: job.0,
            to,
            to_name: Some(one_line(name)),
            from_name: Some(SENDER.to_owned()),
            letter,
            unsubscribe_url: None,
        };
        self.mailer.send(&mail).await
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
        let path = if letter == PeopleLetter::KycApproved { "/login?next=/start" } else { "/kyc" };
        let input = PeopleInput {
            person: to.name.clone(),
            company: to.company,
            reason: to.reason.unwrap_or_default(),
            page: format!("{}{path}", self.public_url),
            ..PeopleInput::default()
        };
        self.send(job, to.email, &to.name, render(letter, &input)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KYC: [PeopleLetter; 3] = [PeopleLetter::KycReceived, PeopleLetter::KycApproved, PeopleLetter::KycRejected];
    const CODES: [PeopleLetter; 3] = [PeopleLetter::VerifyCode, PeopleLetter::ResetCode, PeopleLetter::InviteCode];

    fn input() -> PeopleInput {
        PeopleInput {
            person: "Ayesha".into(),
            company: "Juniper & Co.".into(),
            reason: "The certificate has run out.".into(),
            code: "048153".into(),
            page: "https://t.example/kyc".into(),
        }
    }

    #[test]
    fn a_code_stands_in_the_letter_and_in_no_subject_and_no_address() {
        for letter in CODES {
            let letter = render(letter, &input());
            for text in [&letter.text, &letter.html] {
                assert_eq!(text.matches("048153").count(), 1, "{text}");
                assert!(text.contains("10 minutes"), "{text}");
            }
            assert!(!letter.subject.contains("048153"), "{}", letter.subject);
            assert!(letter.html.contains("href=\"https://t.example/kyc\""), "{}", letter.html);
        }
        let invitation = render(PeopleLetter::InviteCode, &PeopleInput { company: String::new(), ..input() });
        assert!(!invitation.text.contains("  ") && !invitation.text.contains("{{"), "{}", invitation.text);
    }

    #[test]
    fn each_letter_greets_names_the_company_and_leads_on() {
        for letter in KYC {
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
            reason: evil.clone(),
            code: evil,
            page: "javascript:alert(1)".into(),
        };
        for letter in KYC.into_iter().chain(CODES).chain([PeopleLetter::Taken]) {
            let letter = render(letter, &input);
            assert!(!letter.html.contains("<script") && !letter.html.contains("javascript:"), "{}", letter.html);
            assert!(!letter.subject.contains(['\r', '\n', '\u{202e}']), "{}", letter.subject);
            assert!(!letter.text.lines().any(|line| line.starts_with("Bcc:")), "{}", letter.text);
        }
    }
}
