//! Asking one node: again, fewer questions together, slower.
//!
//! A failure says something of this question, this rate, this batch, this node or this chain, and
//! its words do not tell of which. So each failure leads to the next way of asking, and to the
//! caller once no way is left here: the caller asks for less, in another form, or of another node.

use std::slice;
use std::sync::atomic::Ordering;
use std::time::Duration;

use alloy_primitives::U64;
use futures::future::join_all;
use serde::de::DeserializeOwned;
use serde_json::json;
use serde_json::value::RawValue;
use tokio::time::{Instant, sleep};

use super::Node;
use crate::rpc::call::{Answer, Failure, RpcCall, read};
use crate::rpc::unanswered::Wanted;
use crate::{IndexerError, Result};

/// Tries of a question that can be asked in another form, where no other node is free.
pub(crate) const TRIES_MAX: u32 = 2;
/// Tries of a question that cannot.
pub(crate) const LAST_TRIES_MAX: u32 = 4;
/// Tries of such a question where the node says that it is asked too fast.
const LIMITED_TRIES_MAX: u32 = 6;
/// Wait before a question is asked again; then it doubles.
const AGAIN_AFTER: Duration = Duration::from_millis(100);
/// Questions under way at once where a node takes no batches.
const ONE_BY_ONE_MAX: usize = 4;
/// Tries until a node is believed to be of another chain, and the wait between two.
const FOREIGN_TRIES_MAX: u32 = 3;
const FOREIGN_AGAIN_AFTER: Duration = Duration::from_millis(250);

/// The wait after so many tries, at least one.
pub(super) fn wait_after(tries: u32) -> Duration {
    AGAIN_AFTER * 2_u32.pow(tries - 1)
}

impl Node<'_> {
    /// Asks a question that has no other form; a refusal is the node's failure.
    pub(super) async fn ask<T: DeserializeOwned>(self, call: &RpcCall) -> Result<T> {
        match self.try_to_ask(call, self.answer_bytes_max(), LAST_TRIES_MAX).await? {
            Answer::Given(answer) => Ok(answer),
            Answer::Refused(failure) => Err(self.refuses(failure)),
        }
    }

    /// Asks one question, up to `tries` times. Where another node is free, that one is better than
    /// a second try.
    pub(super) async fn try_to_ask<T: DeserializeOwned>(
        self,
        call: &RpcCall,
        bytes_max: usize,
        tries: u32,
    ) -> Result<Answer<T>> {
        self.verify().await?;
        let mut asked = 0;
        loop {
            let failure = match self.ask_once(call, bytes_max).await {
                Ok(answer) => {
                    if asked > 0 {
                        // So it was not the question: too fast, or chance.
                        self.endpoint().health.bore_too_much(Instant::now());
                    }
                    return Ok(Answer::Given(answer));
                }
                Err(failure) => failure,
            };
            asked += 1;
            let is_last = tries == LAST_TRIES_MAX;
            let tries = match &failure {
                Failure::Unreachable(_) => return Err(self.refuses(failure)),
                Failure::TooMuch(_) | Failure::TooLong(_) => 1,
                Failure::Limited { .. } if is_last => LIMITED_TRIES_MAX,
                Failure::Limited { .. } => tries + 1,
                Failure::SaidTooLong(_) | Failure::Refused(_) | Failure::Broken(_) => tries,
            };
            if asked >= tries || self.another().is_some() {
                if matches!(failure, Failure::Limited { .. }) && asked > 1 {
                    self.endpoint().health.was_left_alone_in_vain();
                }
                return Ok(Answer::Refused(failure));
            }
            sleep(wait_after(asked)).await;
        }
    }

    /// Asks several questions, as many together as the node takes. It may refuse one of them.
    pub(crate) async fn ask_together(
        self,
        calls: &[RpcCall],
        bytes_max: usize,
        tries: u32,
    ) -> Result<Answer<Vec<Box<RawValue>>>> {
        self.verify().await?;
        let mut answers: Vec<Option<Box<RawValue>>> = calls.iter().map(|_| None).collect();
        loop {
            let open = (0..calls.len()).filter(|at| answers[*at].is_none());
            let at_once = self.questions_at_once();
            let mut open: Vec<usize> = open.take(at_once.max(ONE_BY_ONE_MAX)).collect();
            if open.is_empty() {
                break;
            }
            let (mut refused_together, mut was_too_fast) = (None, false);
            if at_once > 1 && open.len() > 1 {
                open.truncate(at_once);
                let together: Vec<RpcCall> = open.iter().map(|at| calls[*at].clone()).collect();
                match self.ask_at_once(&together, bytes_max).await {
                    Ok(some) => {
                        for (at, answer) in open.iter().zip(some) {
                            answers[*at] = answer.ok();
                        }
                        open.retain(|at| answers[*at].is_none());
                        if open.is_empty() {
                            self.endpoint().questions.answered(together.len() as u64);
                        }
                    }
                    Err(failure @ Failure::Unreachable(_)) => return Err(self.refuses(failure)),
                    Err(failure @ Failure::TooMuch(_)) => return Ok(Answer::Refused(failure)),
                    Err(failure) => {
                        refused_together = Some(together.len() as u64);
                        was_too_fast = matches!(failure, Failure::Limited { .. });
                    }
                }
                // If this one is answered alone, it was the batch that the node did not like.
                open.truncate(1);
            }
            let asked = open.iter().map(|at| self.try_to_ask(&calls[*at], bytes_max, tries));
            for (at, answer) in open.iter().zip(join_all(asked).await) {
                match answer? {
                    Answer::Given(answer) => answers[*at] = Some(answer),
                    Answer::Refused(failure) => {
                        // It was heard alone, and together not.
                        if let Some(questions) = refused_together.filter(|_| was_too_fast)
                            && matches!(failure, Failure::Refused(_))
                        {
                            self.endpoint().questions.refused(questions);
                        }
                        return Ok(Answer::Refused(failure));
                    }
                }
            }
            match refused_together {
                Some(questions) => self.endpoint().questions.refused(questions),
                None if at_once == 1 => self.endpoint().questions.answered(1),
                None => {}
            }
        }
        Ok(Answer::Given(answers.into_iter().flatten().collect()))
    }

    fn questions_at_once(self) -> usize {
        let limit = self.endpoint().questions.now();
        let limit = limit.min(self.nodes.rate.questions_at_once().unwrap_or(u64::MAX));
        usize::try_from(limit).unwrap_or(usize::MAX)
    }

    async fn ask_once<T: DeserializeOwned>(
        self,
        call: &RpcCall,
        bytes_max: usize,
    ) -> Result<T, Failure> {
        let mut answers = self.ask_at_once(slice::from_ref(call), bytes_max).await?;
        let answer = answers.swap_remove(0)?;
        let answer = read(&answer).map_err(|failure| failure.of(call));
        if let Err(failure) = &answer {
            self.failed(call, failure);
        }
        answer
    }

    /// Asks questions at once, and learns from how each went.
    async fn ask_at_once(
        self,
        calls: &[RpcCall],
        bytes_max: usize,
    ) -> Result<Vec<Result<Box<RawValue>, Failure>>, Failure> {
        self.wait_for_its_turn(calls.len()).await;
        let answers = self.endpoint().rpc.ask(calls, bytes_max).await;
        let answers = answers.map_err(|failure| {
            let failure = failure.of(&calls[0]);
            self.failed(&calls[0], &failure);
            failure
        })?;
        let told = calls.iter().zip(answers).map(|(call, answer)| {
            answer.map_err(|failure| failure.of(call)).inspect_err(|it| self.failed(call, it))
        });
        let told: Vec<Result<Box<RawValue>, Failure>> = told.collect();
        let answered = told.iter().filter(|answer| answer.is_ok()).count();
        if answered > 0 {
            self.endpoint().health.answered(answered, Instant::now());
            // Some node is of the chain; others may be away.
            self.nodes.unanswered.answered(Wanted::ChainId);
        }
        for (call, answer) in calls.iter().zip(&told) {
            if let (Some(wanted), Ok(_)) = (call.wanted(), answer) {
                self.nodes.unanswered.answered(wanted);
            }
        }
        Ok(told)
    }

    /// Remembers that a question failed.
    fn failed(self, call: &RpcCall, failure: &Failure) {
        let now = Instant::now();
        match failure {
            Failure::Limited { retry_after, .. } => {
                self.endpoint().health.limited(now, *retry_after);
            }
            Failure::Refused(_) | Failure::SaidTooLong(_) => self.endpoint().health.heard(now),
            _ => {}
        }
        if let Some(wanted) = call.wanted() {
            self.nodes.unanswered.failed(wanted, self.label(), failure.problem().to_owned(), now);
        }
    }

    pub(super) async fn wait_for_its_turn(self, questions: usize) {
        self.endpoint().health.turn(questions).await;
        self.nodes.rate.turn(questions).await;
    }

    /// Asks for the chain id where it has not been asked since the last failure: the same URL
    /// may have become another chain's.
    pub(in crate::rpc) async fn verify(self) -> Result<()> {
        let endpoint = self.endpoint();
        if endpoint.verified.load(Ordering::Relaxed) {
            return Ok(());
        }
        let began = Instant::now();
        let mut verifying = endpoint.verifying.lock().await;
        if endpoint.verified.load(Ordering::Relaxed) {
            return Ok(());
        }
        // Of many tasks that wait here together, one asks.
        if let Some((_, problem)) = verifying.as_ref().filter(|(at, _)| *at >= began) {
            return Err(self.unverified(problem));
        }
        let Err(problem) = self.ask_for_chain_id().await else {
            endpoint.verified.store(true, Ordering::Relaxed);
            return Ok(());
        };
        let error = self.unverified(&problem);
        *verifying = Some((Instant::now(), problem));
        Err(error)
    }

    /// The error says why the node is not known to be of the chain.
    async fn ask_for_chain_id(self) -> Result<(), String> {
        let call = RpcCall { method: "eth_chainId", params: json!([]) };
        let (mut tried, mut foreign) = (0, 0);
        loop {
            tried += 1;
            let found = self.ask_once::<U64>(&call, self.answer_bytes_max()).await;
            match found.map(|found| found.to::<u64>()) {
                Ok(0) => return Err("chain id: it answered 0, which is none".to_owned()),
                Ok(found) if i64::try_from(found) == Ok(self.nodes.id.0) => {
                    *self.endpoint().foreign.lock() = None;
                    return Ok(());
                }
                // A node in trouble may say anything once.
                Ok(found) => {
                    foreign += 1;
                    if foreign >= FOREIGN_TRIES_MAX {
                        *self.endpoint().foreign.lock() = Some(found);
                        let expected = self.nodes.id;
                        return Err(format!("it has chain id {found}, configured is {expected}"));
                    }
                    sleep(FOREIGN_AGAIN_AFTER).await;
                }
                Err(failure) => {
                    let is_last = tried >= LAST_TRIES_MAX || self.another().is_some();
                    if is_last || matches!(failure, Failure::Unreachable(_)) {
                        return Err(failure.into_problem());
                    }
                    sleep(AGAIN_AFTER).await;
                }
            }
        }
    }

    /// The node is avoided. If no node is of the chain, the chain stops.
    fn unverified(self, problem: &str) -> IndexerError {
        let error = self.distrust(problem);
        let foreign = |node: Self| *node.endpoint().foreign.lock();
        match foreign(self).filter(|_| self.nodes.each().all(|node| foreign(node).is_some())) {
            Some(found) => IndexerError::WrongChain {
                chain: self.nodes.chain.clone(),
                node: self.label().to_owned(),
                expected: self.nodes.id,
                found,
            },
            None => error,
        }
    }
}
