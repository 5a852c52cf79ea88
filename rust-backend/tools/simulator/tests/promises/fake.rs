//! The fakes, in a world where nothing goes wrong.

use std::collections::BTreeMap;

use event_engine::delivery::job_state::JobState;
use event_engine::event::{ChainId, EventName};
use event_engine::finality::{Finality, Heights};
use event_engine::job::JobId;
use event_engine::trigger::TriggerId;
use simulator::promises::{Bed, CHAIN, Wire};
use simulator::queue::{FakeInbox, FakeQueue};
use simulator::store::{
    Content, FakeLeases, FakeShards, Lock, Row, Rule, RuleState, State, Transaction, When,
    below_horizon,
};
use simulator::world::World;
use simulator::world::life::Life;
use simulator::world::link::{Link, Server};
use simulator::world::rng::Dice;

crate::keeps_all!(super::FakeBed::new(), super::FakeBed::new());

struct FakeBed(World);

impl FakeBed {
    fn new() -> Self {
        Self(World::new(Dice::of(1)))
    }

    fn link(&self, server: Server) -> Link {
        Link::new(self.0.clone(), Life::default(), server)
    }

    fn set_rule(&self, state: RuleState, finality: Finality) {
        let mut database = self.0.database();
        let rule = Rule {
            id: TriggerId::of("default", "all"),
            name: "all".to_owned(),
            version: 1,
            state,
            removals: 0,
            chains: Vec::new(),
            registry: None,
            events: Vec::new(),
            agents: Vec::new(),
            when: When::Always,
            grouped: false,
            cooldown_s: None,
            finality,
            lineage: 1,
            since: 0,
            actions: vec![("hook".to_owned(), 1)],
            receiver: 0,
        };
        if state == RuleState::Removed {
            database.judged.jobs.cancel_of(rule.id);
        }
        database.triggers.revision += 1;
        database.triggers.rules.insert(rule.id, rule);
        self.0.checker().in_force(database.triggers.revision, database.triggers.active());
    }
}

/// What the checker saw of it.
impl Drop for FakeBed {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert_eq!(self.0.checker().finding(), None);
        }
    }
}

impl Bed for FakeBed {
    type Shards = FakeShards;
    type Leases = FakeLeases;
    type Transaction = Transaction;

    fn shards(&self, holder: &str) -> FakeShards {
        let link = self.link(Server::Database);
        FakeShards { link, holder: holder.into(), next: below_horizon }
    }

    fn leases(&self) -> FakeLeases {
        FakeLeases { link: self.link(Server::Database) }
    }

    async fn apply(&self) {
        self.set_rule(RuleState::Active, Finality::Instant);
    }

    async fn apply_at(&self, finality: Finality) {
        self.set_rule(RuleState::Active, finality);
    }

    async fn disable(&self) {
        self.set_rule(RuleState::Disabled, Finality::Instant);
    }

    async fn remove(&self) {
        self.set_rule(RuleState::Removed, Finality::Instant);
    }

    async fn begin(&self) -> Transaction {
        let now_ms = self.0.clock.database_ms();
        Transaction::begin(&mut self.0.database(), "writer", now_ms)
    }

    async fn insert(&self, transaction: &mut Transaction, id: &str) {
        let content =
            Content { registry: "identity", event_type: "Registered", agent: 1, score: None };
        let chain = ChainId(CHAIN.0 + i64::from(id.starts_with('b')));
        let row = Row {
            name: name(id),
            chain,
            height: name(id).timestamp,
            block: 0,
            content,
            invalidated: false,
            revision: 0,
            logged_at_ms: 0,
        };
        let mut database = self.0.database();
        assert!(transaction.lock(&mut database, Lock::Row(name(id))).expect("open"));
        transaction.upsert(&mut database, row).expect("open");
    }

    async fn set_invalidated(&self, transaction: &mut Transaction, id: &str, invalidated: bool) {
        let mut database = self.0.database();
        assert!(transaction.lock(&mut database, Lock::Row(name(id))).expect("open"));
        transaction.set_invalidated(&mut database, &name(id), invalidated).expect("open");
    }

    async fn correct(&self, transaction: &mut Transaction, id: &str, agent: u64) {
        let mut database = self.0.database();
        assert!(transaction.lock(&mut database, Lock::Row(name(id))).expect("open"));
        let row = transaction.row(&database, &name(id)).cloned().expect("a row");
        let content = Content { agent, ..row.content.clone() };
        transaction.upsert(&mut database, Row { content, ..row }).expect("open");
    }

    async fn set_checkpoint(&self, transaction: &mut Transaction, block: i64) {
        let mut database = self.0.database();
        let heights = Heights { head: Some(block), ..Heights::default() };
        assert!(transaction.lock(&mut database, Lock::Heights(CHAIN)).expect("there"));
        transaction.report(&mut database, CHAIN, heights).expect("set");
    }

    async fn delete(&self, transaction: &mut Transaction, id: &str) {
        let lock = Lock::Row(name(id));
        assert!(transaction.lock(&mut self.0.database(), lock).expect("open"));
        transaction.delete(&name(id));
    }

    async fn commit(&self, transaction: Transaction) {
        let entries = transaction.commit(&mut self.0.database()).expect("open");
        self.0.checker().written(&entries);
    }

    async fn roll_back(&self, transaction: Transaction) {
        transaction.roll_back(&mut self.0.database());
    }

    async fn cut(&self) {
        self.0.database().sessions.restart();
    }

    async fn states(&self) -> BTreeMap<JobId, JobState> {
        let stored = |state: &State| match state {
            State::Pending => JobState::Pending,
            State::Held => JobState::Held,
            State::Leased { .. } => JobState::Leased,
            State::Delivered => JobState::Delivered,
            State::Cancelled(_) => JobState::Cancelled,
            State::Dead(_) => JobState::Dead,
        };
        let database = self.0.database();
        let jobs = database.judged.jobs.by_id.iter();
        jobs.map(|(id, job)| (*id, stored(&job.state))).collect()
    }
}

impl Wire for FakeBed {
    type Queue = FakeQueue;
    type Inbox = FakeInbox;

    fn queue(&self) -> FakeQueue {
        FakeQueue { link: self.link(Server::Redis) }
    }

    fn inbox(&self, _name: &str) -> FakeInbox {
        FakeInbox { link: self.link(Server::Redis) }
    }

    async fn wipe(&self) {
        self.0.stream().wipe();
    }
}

fn name(id: &str) -> EventName {
    EventName { id: id.to_owned(), timestamp: 1_750_000_000 }
}
