//! Jobs that will not be tried again.

use event_store::views::dead_jobs::{DEAD_COUNTED_MAX, DeadJobs};

use super::{Problem, problem};

/// Hours for which a dead job is told of.
pub(super) const HOURS: i32 = 24;

pub(super) fn dead(dead: Option<&DeadJobs>) -> Problem {
    let says = dead.map(|dead| {
        let many = if dead.number >= DEAD_COUNTED_MAX { " or more" } else { "" };
        let trigger = dead.trigger_name.as_deref().unwrap_or("a removed trigger");
        let reasons = [dead.reason.as_deref(), dead.error.as_deref()];
        let mut reasons: Vec<&str> = reasons.into_iter().flatten().collect();
        reasons.dedup();
        format!(
            "{}{many} ended dead within {HOURS} hours, the last {} of {trigger}: {}",
            dead.number,
            dead.last,
            reasons.join(": ")
        )
    });
    let ok = says.is_none();
    let says = says.unwrap_or_else(|| format!("none of the last {HOURS} hours"));
    let remedy = "correct the trigger's file or its receiver; `agentauri jobs show` has every \
                  attempt, `agentauri jobs list --state dead` all such jobs";
    problem("jobs_dead", "Dead jobs", (ok, says), remedy, "jobs-are-dead")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_job_is_told_with_its_reason_and_the_failure() {
        let of = |number, reason: &str, error: Option<&str>| DeadJobs {
            number,
            last: uuid::Uuid::nil(),
            trigger_name: (number == 1).then(|| "low".to_owned()),
            reason: Some(reason.to_owned()),
            error: error.map(str::to_owned),
        };
        for (found, end) in [
            (of(1, "HTTP status 410", Some("HTTP status 410")), " of low: HTTP status 410"),
            (of(1_000, "no more", Some("refused")), " of a removed trigger: no more: refused"),
            (of(2, "no more", None), " of a removed trigger: no more"),
        ] {
            let told = dead(Some(&found));
            assert!(!told.ok && told.says.ends_with(end), "{}", told.says);
            assert_eq!(told.says.contains(" or more"), found.number == 1_000);
        }
        assert!(dead(None).ok);
    }
}
