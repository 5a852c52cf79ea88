//! A line in the worker's own log: to try a trigger out, or for programs that read logs.
//! `docs/log.md` is its page.

use event_engine::job::JobId;

use crate::keys::{self, ConfigKeys};
use crate::kind::{AddressForm, ConfigRefusal, Destination, Kind};
use crate::message::{Message, Purpose};
use crate::policy::DestinationPolicy;
use crate::secret::{Secret, SecretFormatError, SecretNeed};

/// The longest name of a level.
const LEVEL_BYTES_MAX: usize = 8;

/// The kind `log`.
pub struct Log;

/// The keys of a log.
pub struct Config {
    level: Level,
}

/// The level of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Worth a look.
    Warn,
    /// Ordinary.
    Info,
}

/// A line and its fields. Strangers choose most of them: the sender escapes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its level.
    pub level: Level,
    /// Its sentence.
    pub sentence: &'static str,
    /// The job.
    pub job: JobId,
    /// The job of the line that is not true any more.
    pub retracts: Option<JobId>,
    /// The trigger's name.
    pub trigger: String,
    /// The event's id.
    pub event: String,
    /// The event's name on chain.
    pub event_type: String,
    /// The registry.
    pub registry: String,
    /// The chain's id.
    pub chain_id: i64,
    /// The height of the event's block.
    pub block_number: i64,
    /// The agent.
    pub agent_id: Option<String>,
}

impl Kind for Log {
    const NAME: &'static str = "log";
    type Config = Config;
    type Request = Line;

    fn read(keys: &mut ConfigKeys<'_>) -> Result<Config, ConfigRefusal> {
        let Some(level) = keys.optional("level") else { return Ok(Config { level: Level::Info }) };
        match keys::text("level", level, LEVEL_BYTES_MAX)? {
            "info" => Ok(Config { level: Level::Info }),
            "warn" => Ok(Config { level: Level::Warn }),
            other => {
                let problem = format!("{other:?} is unknown; it is `info` or `warn`");
                Err(ConfigRefusal::of("level", problem))
            }
        }
    }

    /// A line goes nowhere that a policy could forbid.
    fn check(_: &Config, _: &DestinationPolicy) -> Result<(), ConfigRefusal> {
        Ok(())
    }

    fn destination(_: &Config) -> Destination {
        let name = "log".to_owned();
        Destination { address: name.clone(), form: AddressForm::Name, origin: name }
    }

    fn secrets(_: &Config) -> Vec<SecretNeed<'_>> {
        Vec::new()
    }

    fn render(
        config: Config,
        message: &Message<'_>,
        _: &[Secret],
    ) -> Result<Line, SecretFormatError> {
        let (sentence, retracts) = match message.purpose {
            Purpose::Match => ("Matched", None),
            Purpose::Retraction { retracts, .. } => ("Retracted", Some(retracts)),
            Purpose::Test => ("Test", None),
        };
        let event = message.event.event;
        Ok(Line {
            level: config.level,
            sentence,
            job: message.id,
            retracts,
            trigger: message.trigger.name.to_owned(),
            event: event.name.id.clone(),
            event_type: event.event_type.clone(),
            registry: event.registry.clone(),
            chain_id: event.chain_id.0,
            block_number: event.block_number,
            agent_id: event.agent_id.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use event_engine::trigger::config::ConfigNode;

    use super::*;
    use crate::{registry, trigger_file};

    fn level(config: &ConfigNode) -> Result<Level, String> {
        registry::read::<Log>(config).map(|read| read.level).map_err(|error| error.to_string())
    }

    #[test]
    fn the_documented_example_is_accepted() {
        let page = include_str!("../../../../../docs/log.md");
        let example = page.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next());
        let (chains, policy) = (BTreeMap::new(), DestinationPolicy::default());
        let triggers = trigger_file::parse(example.expect("an example"), &chains, &policy);
        let triggers = triggers.expect("accepted").triggers;
        let levels = triggers[0].actions.iter().map(|action| level(&action.config));
        assert_eq!(levels.collect::<Vec<_>>(), [Ok(Level::Info), Ok(Level::Warn)]);
    }

    #[test]
    fn a_line_has_a_level_and_no_other_key() {
        let with = |key, text| ConfigNode::table([(key, ConfigNode::text(text))]);
        assert_eq!(level(&ConfigNode::table([])), Ok(Level::Info));
        assert_eq!(level(&with("level", "info")), Ok(Level::Info));
        assert_eq!(level(&with("level", "warn")), Ok(Level::Warn));
        for (config, told) in [
            (with("level", "loud"), "level: \"loud\" is unknown; it is `info` or `warn`"),
            (with("level", ""), "level: must be 1 to 8 bytes"),
            (with("secret", "x"), "secret: is unknown; the keys of log are `level`"),
        ] {
            assert_eq!(level(&config), Err(told.to_owned()));
        }
    }
}
