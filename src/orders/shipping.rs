//! Carriers: their names in any spelling, the page where a parcel can be followed, and what a tracking number's digits say.
//!
//! Everything here is advice. A carrier nobody listed gets a general tracking page, a number whose check digit does not
//! add up gets a warning and is kept, and a guess is a ranked list: the merchant chooses, and may choose again.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// All but the unreserved characters of RFC 3986, so that a number can stand in a path, a query or a fragment alike.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Follows a parcel of any carrier.
const GENERAL_PAGE: &str = "https://t.17track.net/en#nums={n}";

struct Carrier {
    name: &'static str,
    /// Other spellings, lower case, letters and digits only. The name itself always counts.
    aliases: &'static [&'static str],
    page: &'static str,
}

const fn carrier(name: &'static str, aliases: &'static [&'static str], page: &'static str) -> Carrier {
    Carrier { name, aliases, page }
}

/// The first four pages are a contract with earlier clients: they read them back from replies, byte for byte.
const CARRIERS: &[Carrier] = &[
    carrier("FedEx", &["federalexpress", "fdx"], "https://www.fedex.com/fedextrack/?tracknumbers={n}"),
    carrier("UPS", &["unitedparcelservice"], "https://www.ups.com/track?tracknum={n}"),
    carrier(
        "USPS",
        &["unitedstatespostalservice", "uspostalservice", "uspost", "usmail"],
        "https://tools.usps.com/go/TrackConfirmAction?qtc_tLabels1={n}",
    ),
    carrier("DHL", &["dhlexpress"], "https://www.dhl.com/en/express/tracking.html?AWB={n}"),
    carrier(
        "Canada Post",
        &["postescanada", "canadapostpostescanada"],
        "https://www.canadapost-postescanada.ca/track-reperage/en#/search?searchFor={n}",
    ),
    carrier("Royal Mail", &["rm"], "https://www.royalmail.com/track-your-item#/tracking-results/{n}"),
    carrier("DPD UK", &["dpd", "dpdgb", "dpdlocal"], "https://track.dpd.co.uk/parcels/{n}"),
    carrier("GLS", &["generallogisticssystems"], "https://gls-group.eu/track/{n}"),
    carrier("Evri", &["hermesuk", "myhermes"], "https://www.evri.com/track-parcel/{n}"),
    carrier("Australia Post", &["auspost", "aupost"], "https://auspost.com.au/mypost/track/#/details/{n}"),
    carrier("Aramex", &[], "https://www.aramex.com/track/results?ShipmentNumber={n}"),
    carrier(
        "Blue Dart",
        &["bluedartdhl"],
        "https://www.bluedart.com/web/guest/trackdartresultthirdparty?trackFor=0&trackNo={n}",
    ),
    carrier("Delhivery", &[], "https://www.delhivery.com/track/package/{n}"),
    carrier("SteadFast", &["packzy"], "https://steadfast.com.bd/t/{n}"),
    carrier("Pathao", &[], "https://merchant.pathao.com/tracking?consignment_id={n}"),
    carrier("RedX", &[], "https://redx.com.bd/track-parcel/?trackingId={n}"),
    carrier("Purolator", &[], "https://www.purolator.com/en/shipping/tracker?searchValue={n}"),
    carrier("La Poste", &["colissimo"], "https://www.laposte.fr/outils/suivre-vos-envois?code={n}"),
    carrier("Chronopost", &[], "https://www.chronopost.fr/tracking-no-cms/suivi-page?listeNumerosLT={n}"),
];

/// The listed posts by country (ISO 3166).
const POSTS: &[(&str, &str)] =
    &[("US", "USPS"), ("GB", "Royal Mail"), ("CA", "Canada Post"), ("AU", "Australia Post"), ("FR", "La Poste")];

/// Words that may follow a carrier's name without making it another carrier: kinds of service and of company. "DHL
/// Parcel UK" is deliberately not reduced to DHL: it is another company's page.
const SERVICE_WORDS: &[&str] = &[
    "1st",
    "24",
    "2day",
    "2nd",
    "48",
    "air",
    "class",
    "courier",
    "couriers",
    "day",
    "delivery",
    "domestic",
    "economy",
    "expedited",
    "express",
    "first",
    "ground",
    "home",
    "inc",
    "international",
    "limited",
    "logistics",
    "ltd",
    "mail",
    "next",
    "overnight",
    "parcel",
    "parcels",
    "priority",
    "saver",
    "service",
    "services",
    "shipping",
    "signed",
    "special",
    "standard",
    "tracked",
];

/// The carrier's name as it is usually written (`FedEx` for "fed ex", "FEDEX Ground"), or `None` when nobody listed it.
#[must_use]
pub fn canonical(text: &str) -> Option<&'static str> {
    find(text).map(|carrier| carrier.name)
}

/// The page where the parcel can be followed: the carrier's own, or a general one for carriers nobody listed. The number
/// is percent-encoded as a whole. `None` when there is no number.
#[must_use]
pub fn tracking_url(carrier: &str, number: &str) -> Option<String> {
    let number = number.trim();
    if number.is_empty() {
        return None;
    }
    let page = find(carrier).map_or(GENERAL_PAGE, |carrier| carrier.page);
    Some(page.replace("{n}", &utf8_percent_encode(number, RESERVED).to_string()))
}

fn find(text: &str) -> Option<&'static Carrier> {
    let words: Vec<String> =
        text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase).collect();
    (1..=words.len()).rev().find_map(|taken| {
        let (name, rest) = words.split_at(taken);
        let name = name.concat();
        let carrier = CARRIERS.iter().find(|carrier| carrier.is_called(&name))?;
        rest.iter().all(|word| SERVICE_WORDS.contains(&word.as_str())).then_some(carrier)
    })
}

impl Carrier {
    fn is_called(&self, spelling: &str) -> bool {
        let own = self.name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase());
        own.eq(spelling.chars()) || self.aliases.contains(&spelling)
    }
}

/// Why a tracking number may be mistyped. It is only ever shown; the number is accepted as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The carrier whose rule the number breaks.
    pub carrier: &'static str,
}

impl Warning {
    /// One sentence for the person who typed the number.
    #[must_use]
    pub fn message(&self) -> String {
        format!(
            "The check digit of this {} tracking number does not add up. Please compare it with the label.",
            self.carrier
        )
    }
}

/// One carrier a number may belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guess {
    /// The carrier as [`canonical`] writes it.
    pub carrier: &'static str,
    /// 1 to 99: how much the form of the number says, for ranking only.
    pub confidence: u8,
}

/// Whether the number breaks the named carrier's check-digit rule. `None` when it keeps it, and when no rule is known for
/// this carrier or for a number of this form.
#[must_use]
pub fn verdict(carrier: &str, number: &str) -> Option<Warning> {
    let carrier = canonical(carrier)?;
    let number = plain(number);
    let readings: Vec<Reading> = readings(&number).into_iter().filter(|reading| reading.may_be(carrier)).collect();
    (!readings.is_empty() && readings.iter().all(|reading| !reading.holds)).then_some(Warning { carrier })
}

/// The carriers whose numbers look like this one, likeliest first. Formats overlap, so it is a list to choose from. A
/// number with a broken check digit is still guessed when its form says enough.
#[must_use]
pub fn guess(number: &str) -> Vec<Guess> {
    let mut guesses: Vec<Guess> = Vec::new();
    for reading in readings(&plain(number)) {
        let Some(carrier) = reading.carrier else { continue };
        let confidence = if reading.holds { reading.confidence } else { reading.when_broken };
        if confidence == 0 {
            continue;
        }
        match guesses.iter_mut().find(|guess| guess.carrier == carrier) {
            Some(known) => known.confidence = known.confidence.max(confidence),
            None => guesses.push(Guess { carrier, confidence }),
        }
    }
    guesses.sort_by_key(|guess| std::cmp::Reverse(guess.confidence));
    guesses
}

/// One format the number has the form of, and whether its check digit holds.
struct Reading {
    /// `None` for an international postal number of a country whose post is not listed.
    carrier: Option<&'static str>,
    /// Whether it is an international postal number.
    postal: bool,
    holds: bool,
    confidence: u8,
    /// Confidence when the check digit does not hold; 0 where the form alone says nothing.
    when_broken: u8,
}

impl Reading {
    /// The rule of an international postal number is the same for every post, so it also judges a number that was given
    /// by one country's post and is delivered by another's.
    fn may_be(&self, carrier: &str) -> bool {
        self.carrier == Some(carrier) || (self.postal && POSTS.iter().any(|(_, post)| *post == carrier))
    }
}

fn plain(number: &str) -> String {
    number.chars().filter(|c| !c.is_whitespace()).map(|c| c.to_ascii_uppercase()).collect()
}

fn readings(number: &str) -> Vec<Reading> {
    let Some((body, check)) = number.len().checked_sub(1).and_then(|last| number.split_at_checked(last)) else {
        return Vec::new();
    };
    let reading = |carrier, holds, confidence, when_broken| Reading {
        carrier: Some(carrier),
        postal: false,
        holds,
        confidence,
        when_broken,
    };
    if !number.bytes().all(|c| c.is_ascii_digit()) {
        return lettered(number, body, check);
    }
    let holds = |expected: u32| check.parse() == Ok(expected);
    let mut found = Vec::new();
    match number.len() {
        10 | 11 => found.push(reading("DHL", holds(mod_7(body)), 60, 0)),
        12 => {
            found.push(reading("FedEx", holds(fedex_12(body)), 70, 0));
            if number.starts_with(|c| ('0'..='5').contains(&c)) {
                found.push(reading("Purolator", holds(luhn(body)), 45, 0));
            }
        }
        15 => found.push(reading("FedEx", holds(mod_10(body.bytes(), 1, 3)), 70, 0)),
        16 => found.push(reading("Canada Post", holds(mod_10(body.bytes(), 3, 1)), 70, 0)),
        20 => found.push(reading("USPS", holds(mod_10(body.bytes(), 3, 1)), 70, 0)),
        22 if number.starts_with("96") => {
            found.push(reading("FedEx", holds(mod_10(body[7..].bytes(), 1, 3)), 95, 30));
        }
        22 | 30 | 34 => {
            // 30 and 34: the same number behind 420 and the ZIP code of five or nine digits it goes to.
            let routed = number.len() > 22;
            let label = &body[body.len() - 21..];
            if label.starts_with("94") && (!routed || number.starts_with("420")) {
                let holds = holds(mod_10(label.bytes().rev(), 3, 1));
                found.push(reading("USPS", holds, if routed { 98 } else { 97 }, 40));
            }
        }
        _ => {}
    }
    found
}

/// The two formats with letters: UPS `1Z…` and the Universal Postal Union's S10 (`RB123456785GB`).
fn lettered(number: &str, body: &str, check: &str) -> Vec<Reading> {
    if !number.bytes().all(|c| c.is_ascii_alphanumeric()) {
        return Vec::new();
    }
    if number.len() == 18 {
        // Eighteen characters are only ever UPS's; without the 1Z in front a character was mistyped.
        let marked = number.starts_with("1Z");
        let holds = marked && check.parse() == Ok(mod_10(body[2..].bytes(), 1, 2));
        let when_broken = if marked { 50 } else { 0 };
        return vec![Reading { carrier: Some("UPS"), postal: false, holds, confidence: 99, when_broken }];
    }
    let letters = |text: &str| text.bytes().all(|c| c.is_ascii_uppercase());
    if number.len() == 13
        && letters(&number[..2])
        && letters(&number[11..])
        && number[2..11].bytes().all(|c| c.is_ascii_digit())
    {
        let carrier = POSTS.iter().find(|(country, _)| *country == &number[11..]).map(|(_, post)| *post);
        let holds = number[10..11].parse() == Ok(s10(&number[2..10]));
        return vec![Reading { carrier, postal: true, holds, confidence: 97, when_broken: 40 }];
    }
    Vec::new()
}

fn digit(c: u8) -> u32 {
    u32::from(if c.is_ascii_digit() { c - b'0' } else { c.wrapping_sub(3) % 10 })
}

/// Even places (from 0) times `even`, odd ones times `odd`; products are added whole.
fn mod_10(characters: impl Iterator<Item = u8>, even: u32, odd: u32) -> u32 {
    let sum: u32 = characters.enumerate().map(|(place, c)| digit(c) * if place % 2 == 0 { even } else { odd }).sum();
    (10 - sum % 10) % 10
}

/// As [`mod_10`] from the right, but products over nine count by their digits (Luhn).
fn luhn(digits: &str) -> u32 {
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(place, c)| {
            let value = digit(c) * if place % 2 == 0 { 2 } else { 1 };
            value / 10 + value % 10
        })
        .sum();
    (10 - sum % 10) % 10
}

fn fedex_12(digits: &str) -> u32 {
    let sum: u32 = digits.bytes().zip([3, 1, 7].into_iter().cycle()).map(|(c, weight)| digit(c) * weight).sum();
    sum % 11 % 10
}

fn mod_7(digits: &str) -> u32 {
    digits.bytes().fold(0, |rest, c| (rest * 10 + digit(c)) % 7)
}

/// UPU standard S10: the check digit of the eight digits of the serial number.
fn s10(serial: &str) -> u32 {
    let sum: u32 = serial.bytes().zip([8, 6, 4, 2, 3, 5, 9, 7]).map(|(c, weight)| digit(c) * weight).sum();
    match sum % 11 {
        0 => 5,
        1 => 0,
        rest => 11 - rest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_in_any_spelling() {
        for (text, name) in [
            ("fedex", "FedEx"),
            ("Fed Ex", "FedEx"),
            ("FEDEX Ground", "FedEx"),
            ("fed-ex international priority", "FedEx"),
            ("ups", "UPS"),
            ("U.P.S.", "UPS"),
            ("USPS Priority Mail", "USPS"),
            ("dhl express", "DHL"),
            ("canada post", "Canada Post"),
            ("royal mail", "Royal Mail"),
            ("Royal Mail Tracked 24", "Royal Mail"),
            ("DPD", "DPD UK"),
            ("dpd uk", "DPD UK"),
            ("BlueDart", "Blue Dart"),
            ("SteadFast Courier", "SteadFast"),
            ("  Stead Fast ", "SteadFast"),
            ("red x", "RedX"),
            ("laposte", "La Poste"),
        ] {
            assert_eq!(canonical(text), Some(name), "{text}");
        }
        for carrier in CARRIERS {
            assert_eq!(canonical(carrier.name), Some(carrier.name));
        }
        for other in ["", "—", "DHL Parcel UK", "DPD Germany", "upside", "Pony Express", "courier"] {
            assert_eq!(canonical(other), None, "{other}");
        }
    }

    #[test]
    fn no_spelling_names_two_carriers() {
        for one in CARRIERS {
            for spelling in one.aliases {
                assert_eq!(CARRIERS.iter().filter(|carrier| carrier.is_called(spelling)).count(), 1, "{spelling}");
            }
        }
    }

    #[test]
    fn every_carrier_has_its_own_page() {
        for (carrier, url) in [
            ("FedEx", "https://www.fedex.com/fedextrack/?tracknumbers=A1"),
            ("UPS", "https://www.ups.com/track?tracknum=A1"),
            ("USPS", "https://tools.usps.com/go/TrackConfirmAction?qtc_tLabels1=A1"),
            ("DHL", "https://www.dhl.com/en/express/tracking.html?AWB=A1"),
            ("Canada Post", "https://www.canadapost-postescanada.ca/track-reperage/en#/search?searchFor=A1"),
            ("Royal Mail", "https://www.royalmail.com/track-your-item#/tracking-results/A1"),
            ("DPD UK", "https://track.dpd.co.uk/parcels/A1"),
            ("GLS", "https://gls-group.eu/track/A1"),
            ("Evri", "https://www.evri.com/track-parcel/A1"),
            ("Australia Post", "https://auspost.com.au/mypost/track/#/details/A1"),
            ("Aramex", "https://www.aramex.com/track/results?ShipmentNumber=A1"),
            ("Blue Dart", "https://www.bluedart.com/web/guest/trackdartresultthirdparty?trackFor=0&trackNo=A1"),
            ("Delhivery", "https://www.delhivery.com/track/package/A1"),
            ("SteadFast", "https://steadfast.com.bd/t/A1"),
            ("Pathao", "https://merchant.pathao.com/tracking?consignment_id=A1"),
            ("RedX", "https://redx.com.bd/track-parcel/?trackingId=A1"),
            ("Purolator", "https://www.purolator.com/en/shipping/tracker?searchValue=A1"),
            ("La Poste", "https://www.laposte.fr/outils/suivre-vos-envois?code=A1"),
            ("Chronopost", "https://www.chronopost.fr/tracking-no-cms/suivi-page?listeNumerosLT=A1"),
            ("Pony Express", "https://t.17track.net/en#nums=A1"),
        ] {
            assert_eq!(tracking_url(carrier, " A1 ").as_deref(), Some(url));
        }
        assert_eq!(tracking_url("UPS", "  "), None);
    }

    #[test]
    fn a_number_cannot_break_out_of_its_place_in_the_address() {
        assert_eq!(
            tracking_url("GLS", "a b/../?x=1&y#z\"<é").as_deref(),
            Some("https://gls-group.eu/track/a%20b%2F..%2F%3Fx%3D1%26y%23z%22%3C%C3%A9")
        );
        assert_eq!(tracking_url("UPS", "{n}-._~").as_deref(), Some("https://www.ups.com/track?tracknum=%7Bn%7D-._~"));
    }

    const VALID: &[(&str, &str)] = &[
        ("UPS", "1Z5R89390357567127"),
        ("UPS", "1Z879E930346834440"),
        ("UPS", " 1z 879e93 03 4683 4440 "),
        ("FedEx", "986578788855"),
        ("FedEx", "477179081230"),
        ("FedEx", "568283610012000"),
        ("FedEx", "9611020987654312345672"),
        ("USPS", "03071790000523483741"),
        ("USPS", "9400111206206406260787"),
        ("USPS", "420221539400111206206406260787"),
        ("USPS", "4202215398769400111206206406260787"),
        ("DHL", "3318810025"),
        ("DHL", "73891051146"),
        ("Canada Post", "0073938000549297"),
        ("Royal Mail", "RB123456785GB"),
        ("Purolator", "320595463938"),
    ];

    #[test]
    fn good_numbers_pass_and_are_guessed() {
        for (carrier, number) in VALID {
            assert_eq!(verdict(carrier, number), None, "{carrier} {number}");
            assert!(guess(number).iter().any(|guess| guess.carrier == *carrier), "{carrier} {number}");
        }
    }

    #[test]
    fn a_broken_check_digit_is_a_warning() {
        for (carrier, number) in [
            ("UPS", "2Z5R89390357567127"),
            ("fed ex", "996578788855"),
            ("FedEx", "568283610012732"),
            ("FedEx", "9611020987654312345673"),
            ("USPS", "03071790000523483742"),
            ("USPS", "9400111206206406260788"),
            ("DHL", "3318810010"),
            ("Canada Post", "0073938000549292"),
            ("USPS", "RB123456786US"),
            ("Royal Mail", "RB123456786DE"),
            ("Purolator", "320595463939"),
        ] {
            let warning = verdict(carrier, number).unwrap_or_else(|| panic!("{carrier} {number}"));
            assert_eq!(Some(warning.carrier), canonical(carrier));
            assert!(warning.message().contains(warning.carrier));
        }
    }

    #[test]
    fn one_wrong_digit_is_always_noticed_by_the_stronger_formats() {
        for (carrier, number) in VALID.iter().filter(|(_, number)| number.len() >= 20 && number.starts_with('9')) {
            let last = number.len() - 1;
            for wrong in (b'0'..=b'9').filter(|digit| *digit != number.as_bytes()[last]) {
                let number = format!("{}{}", &number[..last], char::from(wrong));
                assert!(verdict(carrier, &number).is_some(), "{number}");
            }
        }
    }

    #[test]
    fn where_no_rule_is_known_nothing_is_said() {
        for (carrier, number) in [
            ("FedEx", "1234567890123"),
            ("Evri", "1234567890123456"),
            ("Pony Express", "1Z5R89390357567128"),
            ("UPS", "RB123456786US"),
            ("UPS", ""),
            ("UPS", "é"),
            ("UPS", "1Zé5R8939035756712"),
            ("DHL", "JD0146000039582000"),
        ] {
            assert_eq!(verdict(carrier, number), None, "{carrier} {number}");
        }
        for number in ["", "1", "é", "🚚🚚🚚", "1234567890123", "ORD-1"] {
            assert_eq!(guess(number), [], "{number}");
        }
    }

    #[test]
    fn guesses_are_ranked() {
        assert_eq!(guess("1Z5R89390357567127"), [Guess { carrier: "UPS", confidence: 99 }]);
        assert_eq!(guess("1Z5R89390357567128"), [Guess { carrier: "UPS", confidence: 50 }]);
        assert_eq!(guess("RB123456785US")[0].carrier, "USPS");
        assert_eq!(guess("RB123456785DE"), [], "no listed carrier");
        let both = (0_u64..).map(|n| format!("3{n:011}")).find(|number| guess(number).len() == 2).unwrap();
        assert_eq!(guess(&both).iter().map(|guess| guess.carrier).collect::<Vec<_>>(), ["FedEx", "Purolator"]);
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(carrier in ".{0,30}", number in "[A-Z0-9 é]{0,36}") {
            assert!(verdict(&carrier, &number).is_none_or(|warning| Some(warning.carrier) == canonical(&carrier)));
            assert!(verdict("UPS", &number).is_none() || number.len() >= 18);
            let guesses = guess(&number);
            assert!(guesses.is_sorted_by(|a, b| a.confidence >= b.confidence));
            assert_eq!(tracking_url(&carrier, &number).is_none(), number.trim().is_empty());
        }
    }
}
