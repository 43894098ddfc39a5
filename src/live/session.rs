//! One connection as a state machine: what a client says goes in, what is to be done comes out; pure, no sockets.
//!
//! It is silent until the client's first message; then it greets, once. Every message costs one of the connection's
//! allowance, understood or not.

use std::time::Duration;

use super::protocol::{self, Close, Inbound, Problem};
use super::settings::LiveSettings;

/// One thing to do, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The client's first message: say who we are.
    Greet,
    /// Send this JSON text.
    Say(String),
    /// A request that needs the world: subscriptions, sign-in, sightings.
    Ask(Inbound),
    /// End the connection.
    Close(Close, &'static str),
}

/// The part of a connection that judges what it hears.
#[derive(Debug)]
pub struct Session {
    greeted: bool,
    /// Messages still allowed, in thousandths.
    allowance: u32,
    counted_at: Duration,
}

impl Session {
    /// A session that has heard nothing yet. `now` is any steady time.
    #[must_use]
    pub fn new(settings: &LiveSettings, now: Duration) -> Self {
        Self { greeted: false, allowance: settings.message_burst.saturating_mul(1000), counted_at: now }
    }

    /// Whether the client has said anything yet.
    #[must_use]
    pub fn has_spoken(&self) -> bool {
        self.greeted
    }

    /// Takes one message: its text, or `None` for one that is not text.
    pub fn hear(&mut self, text: Option<&str>, settings: &LiveSettings, now: Duration) -> Vec<Step> {
        let mut steps = Vec::with_capacity(2);
        if !std::mem::replace(&mut self.greeted, true) {
            steps.push(Step::Greet);
        }
        if !self.may_speak(settings, now) {
            steps.push(Step::Close(Close::TooMany, "too many messages"));
            return steps;
        }
        let refuse = |id, message| Step::Say(protocol::error(id, &Problem::lasting("bad_message", message)));
        steps.push(match text.map(protocol::parse) {
            None => refuse(None, "Send text frames with one JSON object each."),
            Some(Err(refusal)) => refuse(refusal.id, refusal.message),
            Some(Ok(Inbound::Ping)) => Step::Say(protocol::pong().to_owned()),
            Some(Ok(asked)) => Step::Ask(asked),
        });
        steps
    }

    fn may_speak(&mut self, settings: &LiveSettings, now: Duration) -> bool {
        let passed = u64::try_from(now.saturating_sub(self.counted_at).as_millis()).unwrap_or(u64::MAX);
        // messages/min × ms ÷ 60 000 × 1000 thousandths
        let earned = passed.saturating_mul(u64::from(settings.messages_per_minute)) / 60;
        if earned > 0 {
            self.counted_at = now;
            let full = settings.message_burst.saturating_mul(1000);
            self.allowance = self.allowance.saturating_add(u32::try_from(earned).unwrap_or(u32::MAX)).min(full);
        }
        match self.allowance.checked_sub(1000) {
            Some(left) => {
                self.allowance = left;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> LiveSettings {
        LiveSettings { message_burst: 3, messages_per_minute: 60, ..LiveSettings::default() }
    }

    #[test]
    fn the_first_message_is_greeted_and_the_next_are_not() {
        let (settings, now) = (settings(), Duration::ZERO);
        let mut session = Session::new(&settings, now);
        assert!(!session.has_spoken());
        let pong = Step::Say(protocol::pong().to_owned());
        assert_eq!(session.hear(Some(r#"{"type":"ping"}"#), &settings, now), [Step::Greet, pong.clone()]);
        assert_eq!(session.hear(Some(r#"{"type":"ping"}"#), &settings, now), [pong]);
        let asked = session.hear(Some(r#"{"type":"unsubscribe","id":7}"#), &settings, now);
        assert_eq!(asked, [Step::Ask(Inbound::Unsubscribe { id: 7 })]);
    }

    #[test]
    fn nonsense_is_answered_and_changes_nothing() {
        let (settings, now) = (settings(), Duration::ZERO);
        let mut session = Session::new(&settings, now);
        for text in [Some("nonsense"), None] {
            let steps = session.hear(text, &settings, now);
            assert!(matches!(steps.last(), Some(Step::Say(said)) if said.contains("bad_message")), "{steps:?}");
        }
    }

    #[test]
    fn who_talks_too_much_is_closed_and_who_waits_may_go_on() {
        let settings = settings();
        let mut session = Session::new(&settings, Duration::ZERO);
        let mut say = |at: u64| session.hear(Some(r#"{"type":"ping"}"#), &settings, Duration::from_millis(at)).pop();
        let closed = Some(Step::Close(Close::TooMany, "too many messages"));
        assert!([0, 0, 0].into_iter().all(|at| say(at) != closed));
        assert_eq!(say(999), closed, "60 a minute is one a second");
        assert_ne!(say(1000), closed, "what 999 ms and 1 ms earned");
        assert_eq!(say(1001), closed);
        assert!([100_000, 100_000, 100_000].into_iter().all(|at| say(at) != closed));
        assert_eq!(say(100_000), closed, "no more than the burst is saved");
    }
}
