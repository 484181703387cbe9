//! Checks the invariants between the table's items.

use operator::table::{Examination, Link, Phase, RepairOutcome, TableDescription, Violation};
use shared::table::storage::KeyKind;

use super::report::{Check, Report, State};
use super::{Patient, Scan};
use crate::commands::progress::Progress;
use crate::commands::{Failure, Line, Output, question, tell};

/// How many bytes a strongly consistent read unit covers.
const BYTES_A_READ_UNIT: u64 = 4096;

pub(super) async fn check(
    patient: &Patient,
    description: &TableDescription,
    output: Output,
    report: &mut Report,
) -> Result<(), Failure> {
    let [items, bytes] = [description.item_count, description.size_bytes].map(i64::cast_unsigned);
    let cost = match bytes.div_ceil(BYTES_A_READ_UNIT) {
        0 | 1 => "about one read unit".to_owned(),
        units => format!("about {units} read units"),
    };
    if patient.scan == Scan::None {
        let found = format!("not looked at: --scan reads the whole table, {cost}");
        report.add(Check::new("invariants", State::Note, found));
        return Ok(());
    }
    let mut phases = Phases { items, output, current: None };
    let examination = patient.table.examine(|phase, done| phases.at(phase, done)).await;
    phases.end();
    let Examination { items, mut violations } = examination?;
    if violations.is_empty() {
        report.add(Check::new("invariants", State::Ok, format!("all hold: {items} items, {cost}")));
        return Ok(());
    }
    // A claim of another address is repaired only if the user also has its own claim.
    violations.sort_by_key(|violation| !matches!(violation, Violation::UserWithoutClaim { .. }));
    let repair = match patient.scan {
        Scan::None | Scan::Look => false,
        Scan::AskAndRepair => agreed(&violations),
        Scan::Repair => true,
    };
    for violation in &violations {
        let words = Words::of(violation);
        let became = if repair { Some(patient.table.repair(violation).await?) } else { None };
        report.add(words.check(became));
    }
    Ok(())
}

/// Says what would be done and asks for permission.
fn agreed(violations: &[Violation]) -> bool {
    let repairs: Vec<_> = violations.iter().map(Words::of).filter(|words| words.repair.is_some()).collect();
    if repairs.is_empty() {
        return false;
    }
    for Words { found, repair, .. } in &repairs {
        tell(&Line::from(format!("{found}: {}", repair.as_deref().unwrap_or_default())));
    }
    question::agreed(&format!("Make these repairs ({} in all)?", repairs.len()))
}

/// The progress of an examination, phase by phase.
struct Phases {
    /// About how many items there are.
    items: u64,
    output: Output,
    current: Option<(Phase, Progress, u64)>,
}

impl Phases {
    fn at(&mut self, phase: Phase, done: u64) {
        match &mut self.current {
            Some((current, progress, last)) if *current == phase => {
                progress.advance_to(done);
                *last = done;
            }
            _ => {
                let (what, total) = match phase {
                    Phase::Reading => ("items read", self.items),
                    Phase::Finding => ("items read again", self.items),
                    Phase::LookingAgain(total) => ("suspicions looked at again", total as u64),
                };
                self.end();
                self.current = Some((phase, Progress::begin(what, 0, Some(total), self.output), done));
            }
        }
    }

    fn end(&mut self) {
        if let Some((_, progress, done)) = self.current.take() {
            progress.end(done);
        }
    }
}

/// How a violation is described.
struct Words {
    check: String,
    found: String,
    /// What a repair does; `None` if a person has to decide.
    repair: Option<String>,
    /// What a person can do.
    by_hand: Option<String>,
}

impl Words {
    fn of(violation: &Violation) -> Self {
        let new =
            |check: &str, found: String| Self { check: check.to_owned(), found, repair: None, by_hand: None };
        match violation {
            Violation::ClaimWithoutUser { email, user_id } => {
                new("claim without user", format!("{email} is claimed for {user_id}, who is not there"))
                    .repaired_by("delete the claim, because it blocks the address for everybody else")
            }
            Violation::ClaimOfAnotherAddress { email, user_id, own } => new(
                "claim of another address",
                format!("{email} is claimed for {user_id}, whose address is {own}"),
            )
            .repaired_by("delete the claim, if the user has the claim of its own address"),
            Violation::UserWithoutClaim { user_id, email } => {
                new("user without claim", format!("{email}, the address of {user_id}, is claimed for nobody"))
                    .repaired_by("claim it for the user, if it is still free")
            }
            Violation::UserWithAnothersClaim { user_id, email, holder } => new(
                "user with another's claim",
                format!("{email}, the address of {user_id}, is claimed for {holder}"),
            )
            .by_hand("decide whose address it is, and correct or delete the other user by hand"),
            Violation::CredentialWithoutUser { user_id } => {
                new("credential without user", format!("a password of {user_id}, who is not there"))
                    .repaired_by("delete the credential")
            }
            Violation::LinkWithoutUser(link) => {
                let (name, what) = named(link);
                new(&format!("{name} without user"), format!("{what}: the user is not there"))
                    .repaired_by(format!("delete the {name}"))
            }
            Violation::LinkWithoutOrganization(link) => {
                let (name, what) = named(link);
                let put =
                    format!("`users organization put --id {}`, if it should be there", link.organization_id);
                new(&format!("{name} without organization"), format!("{what}: the organization is not there"))
                    .repaired_by(format!("delete the {name}"))
                    .by_hand(put)
            }
            Violation::Broken { key: [partition, sort], why } => {
                new("broken item", format!("{partition} / {sort}: {why}"))
                    .by_hand("correct or delete it by hand; requests that read it get 500")
            }
        }
    }

    fn repaired_by(self, repair: impl Into<String>) -> Self {
        Self { repair: Some(repair.into()), ..self }
    }

    fn by_hand(self, by_hand: impl Into<String>) -> Self {
        Self { by_hand: Some(by_hand.into()), ..self }
    }

    fn check(self, became: Option<RepairOutcome>) -> Check {
        let Self { check, found, repair, by_hand } = self;
        match became {
            Some(RepairOutcome::Done) => {
                let done = repair.unwrap_or_default();
                Check::new(check, State::Ok, format!("{found}; repaired: {done}"))
            }
            Some(RepairOutcome::Changed) => Check::new(
                check,
                State::Warning,
                format!("{found}; nothing was written: it has changed meanwhile"),
            )
            .advise("run `users doctor --scan` again"),
            Some(RepairOutcome::ByHand) | None => {
                let by_repair = repair.map(|repair| format!("--repair: {repair}"));
                let advice: Vec<_> = by_hand.into_iter().chain(by_repair).collect();
                Check::new(check, State::Wrong, found).advise(advice.join(". Or "))
            }
        }
    }
}

/// What a link is called, and which one it is.
fn named(link: &Link) -> (&'static str, String) {
    let name = match link.kind {
        KeyKind::CustomerAssociation => "customer association",
        _ => "membership",
    };
    (name, format!("{name} of {} in {}", link.user_id, link.organization_id))
}
