//! Checks the invariants between the table's items.

use std::collections::{BTreeMap, HashSet};

use operator::table::{Examination, Link, Phase, RepairOutcome, TableDescription, Violation};
use shared::model::UserId;
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
    let losses = Losses::of(&violations);
    let findings: Vec<_> = violations
        .iter()
        .map(|violation| (violation, Words::of(violation, losses.includes(violation))))
        .collect();
    let is_to_repair = |words: &Words| words.repair.is_some() && (!words.is_loss || patient.delete_orphans);
    let repair = match patient.scan {
        Scan::None | Scan::Look => false,
        Scan::AskAndRepair | Scan::Repair => {
            if patient.delete_orphans {
                losses.sentences().iter().for_each(|sentence| output.warn(sentence));
            }
            let repairs: Vec<_> =
                findings.iter().map(|(_, words)| words).filter(|words| is_to_repair(words)).collect();
            patient.scan == Scan::Repair || agreed(&repairs)
        }
    };
    let mut done = BTreeMap::<_, u64>::new();
    let mut outcome = Ok(());
    for (violation, words) in findings {
        let became = if repair && is_to_repair(&words) {
            match patient.table.repair(violation).await {
                Ok(became) => Some(became),
                Err(error) => {
                    outcome = Err(error.into());
                    break;
                }
            }
        } else {
            None
        };
        if became == Some(RepairOutcome::Done) {
            *done.entry(words.done).or_default() += 1;
        }
        report.add(words.check(became));
    }
    if !done.is_empty() {
        let done: Vec<_> = done.iter().map(|(what, count)| format!("{what}: {count}")).collect();
        report.add(Check::new("repairs", State::Note, done.join(", ")));
    }
    outcome
}

/// Says what would be done and asks for permission.
fn agreed(repairs: &[&Words]) -> bool {
    if repairs.is_empty() {
        return false;
    }
    for Words { found, repair, .. } in repairs {
        tell(&Line::from(format!("{found}: {}", repair.as_deref().unwrap_or_default())));
    }
    question::agreed(&format!("Make these repairs ({} in all)?", repairs.len()))
}

/// What only a person could restore after a repair: the items that belong to a user or an organization that is not
/// there. Often the missing item is the accident, and these are what is left to restore it from.
#[derive(Default)]
struct Losses<'a> {
    of_organizations: BTreeMap<&'a str, BTreeMap<&'static str, u64>>,
    of_users: BTreeMap<&'static str, u64>,
    /// The users who are not there and of whom anything but a claim is left.
    users: HashSet<&'a UserId>,
}

impl<'a> Losses<'a> {
    fn of(violations: &'a [Violation]) -> Self {
        let mut losses = Self::default();
        for violation in violations {
            match violation {
                Violation::LinkWithoutOrganization(link) => {
                    let of_one = losses.of_organizations.entry(link.organization_id.as_str()).or_default();
                    *of_one.entry(named(link).0).or_default() += 1;
                }
                Violation::LinkWithoutUser(link) => {
                    losses.users.insert(&link.user_id);
                    *losses.of_users.entry(named(link).0).or_default() += 1;
                }
                Violation::CredentialWithoutUser { user_id } => {
                    losses.users.insert(user_id);
                    *losses.of_users.entry("password").or_default() += 1;
                }
                _ => {}
            }
        }
        // The claim then is the only item that tells the address of what is left.
        let claims = violations.iter().filter(|violation| {
            matches!(violation, Violation::ClaimWithoutUser { user_id, .. } if losses.users.contains(user_id))
        });
        let claims = claims.count() as u64;
        if claims > 0 {
            losses.of_users.insert("e-mail claim", claims);
        }
        losses
    }

    fn includes(&self, violation: &Violation) -> bool {
        match violation {
            Violation::LinkWithoutOrganization(_)
            | Violation::LinkWithoutUser(_)
            | Violation::CredentialWithoutUser { .. } => true,
            Violation::ClaimWithoutUser { user_id, .. } => self.users.contains(user_id),
            _ => false,
        }
    }

    /// What is lost, and how many of each.
    fn sentences(&self) -> Vec<String> {
        let list = |counts: &BTreeMap<&'static str, u64>| {
            let counts: Vec<_> = counts.iter().map(|(what, count)| format!("{what}: {count}")).collect();
            counts.join(", ")
        };
        let of_organizations = self.of_organizations.iter().map(|(id, counts)| {
            format!(
                "this deletes for good what belongs to the organization {id}, which is not there ({})",
                list(counts)
            )
        });
        let mut sentences: Vec<_> = of_organizations.collect();
        if !self.of_users.is_empty() {
            let (users, counts) = (self.users.len(), list(&self.of_users));
            sentences.push(format!(
                "this deletes for good what is left of {users} users who are not there ({counts})"
            ));
        }
        sentences
    }
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
    /// What was done after a repair, of which there may be many.
    done: &'static str,
    /// Whether only a person could restore what a repair deletes.
    is_loss: bool,
}

impl Words {
    fn of(violation: &Violation, is_loss: bool) -> Self {
        let done = match violation {
            Violation::UserWithoutClaim { .. } => "claims made",
            Violation::CredentialWithoutUser { .. } => "passwords deleted",
            Violation::LinkWithoutUser(link) | Violation::LinkWithoutOrganization(link) => match link.kind {
                KeyKind::CustomerAssociation => "customer associations deleted",
                _ => "memberships deleted",
            },
            _ => "claims deleted",
        };
        let new = |check: &str, found: String| {
            let check = check.to_owned();
            Self { check, found, repair: None, by_hand: None, done, is_loss }
        };
        let rest_of = |user_id: &UserId| {
            format!("restore the user, or `users delete --id {user_id}` deletes what is left of it")
        };
        match violation {
            Violation::ClaimWithoutUser { email, user_id } => {
                new("claim without user", format!("{email} is claimed for {user_id}, who is not there"))
                    .repaired_by("delete the claim, because it blocks the address for everybody else")
                    .by_hand_if(is_loss, || rest_of(user_id))
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
            Violation::UserWithSharedAddress { user_id, email, other } => new(
                "users with one address",
                format!("{email}, the address of {user_id}, is claimed for nobody, and {other} has it too"),
            )
            .by_hand(
                "decide whose address it is, and give the others another one (`users user set --new-email`) or delete \
                 them (`users delete --id`): then --repair claims it",
            ),
            Violation::UserWithAnothersClaim { user_id, email, holder } => new(
                "user with another's claim",
                format!("{email}, the address of {user_id}, is claimed for {holder}"),
            )
            .by_hand("decide whose address it is, and correct or delete the other user by hand"),
            Violation::CredentialWithoutUser { user_id } => {
                new("credential without user", format!("a password of {user_id}, who is not there"))
                    .repaired_by("delete the credential")
                    .by_hand(rest_of(user_id))
            }
            Violation::LinkWithoutUser(link) => {
                let (name, what) = named(link);
                new(&format!("{name} without user"), format!("{what}: the user is not there"))
                    .repaired_by(format!("delete the {name}"))
                    .by_hand(rest_of(&link.user_id))
            }
            Violation::LinkWithoutOrganization(link) => {
                let (name, what) = named(link);
                let put = format!(
                    "if the organization should be there, `users organization put --id {}` restores it",
                    link.organization_id
                );
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

    fn by_hand_if(self, condition: bool, by_hand: impl FnOnce() -> String) -> Self {
        if condition { self.by_hand(by_hand()) } else { self }
    }

    fn check(self, became: Option<RepairOutcome>) -> Check {
        let Self { check, found, repair, by_hand, is_loss, .. } = self;
        match became {
            Some(RepairOutcome::Done) => {
                let done = repair.unwrap_or_default();
                Check::new(check, State::Ok, format!("{found}; repaired: {done}"))
            }
            Some(RepairOutcome::Changed) => Check::new(
                check,
                State::Wrong,
                format!(
                    "{found}; nothing was written: it has changed meanwhile, or something else has to be put right first"
                ),
            )
            .advise("run `users doctor --scan` again"),
            Some(RepairOutcome::ByHand) | None => {
                let option = if is_loss { "--repair --delete-orphans" } else { "--repair" };
                let by_repair = repair.map(|repair| format!("{option}: {repair}"));
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
