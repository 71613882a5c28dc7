//! Which stage grows when: each after those that it needs, those that need nothing of each other at the same time.

use std::io;
use std::num::NonZero;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::event::{BuildEvent, Failed};
use super::make::Maker;
use super::worker::Worker;
use crate::build::dockerfile::evaluate::Plan;
use crate::sys::fs;
use crate::types::Report;

/// How many steps run at the same time on a machine with fewer CPUs: most of them wait for a network or a disk.
const LEAST_JOBS: usize = 4;

/// How often what is shown moves: ten times a second.
const TICK: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

impl Maker<'_> {
    /// Makes the stages that the target needs, each after those that it needs itself; those that need nothing of each
    /// other at the same time. The first failure ends the others.
    pub(super) fn grow(&mut self, plan: &Plan, tell: &mut dyn FnMut(usize, BuildEvent<'_>)) -> Result<(), Failed> {
        let cpus = || std::thread::available_parallelism().map_or(LEAST_JOBS, NonZero::get).max(LEAST_JOBS);
        let most = self.request.jobs.map_or_else(cpus, NonZero::get);
        let mut workers: Vec<Worker> = Vec::new();
        let grown = loop {
            let is_ready = |index: &&usize| {
                !self.stages.contains_key(index)
                    && !workers.iter().any(|worker| worker.index == **index)
                    && plan.graph.nodes[**index].needs().all(|other| self.stages.contains_key(&other))
            };
            let ready = plan.graph.order.iter().filter(is_ready).copied();
            // A shell needs this process' terminal, and a step that reads from it shares it with no other.
            let ready: Vec<usize> = ready.take(if self.scene.is_interactive() { 1 } else { usize::MAX }).collect();
            match (&ready[..], workers.is_empty()) {
                ([], true) => break Ok(()),
                // Nothing else can be done meanwhile, so it needs no child, unless what is shown moves.
                ([index], true) if !self.request.is_watched || self.scene.is_interactive() => {
                    match self.stage(plan, *index, &mut |event| tell(*index, event)) {
                        Ok(stage) => drop(self.stages.insert(*index, stage)),
                        Err(failed) => break Err(failed),
                    }
                    continue;
                }
                _ => {}
            }
            let free = most.saturating_sub(workers.len());
            let started = ready.into_iter().take(free).try_for_each(|index| {
                let worker = Worker::start(index, self.scene, &workers, |tell| self.stage(plan, index, tell))?;
                workers.push(worker);
                Ok(())
            });
            let told = started.map_err(Failed::Report).and_then(|()| self.listen(&mut workers, tell));
            if let Err(failed) = told {
                break Err(failed);
            }
        };
        // None is left unless one has failed.
        Worker::abandon(workers);
        grown
    }

    /// Waits until children have told something, and passes it on. Takes the stages of those that are done.
    fn listen(&mut self, workers: &mut Vec<Worker>, tell: &mut dyn FnMut(usize, BuildEvent<'_>)) -> Result<(), Failed> {
        let mut polled: Vec<_> = workers.iter().map(|worker| PollFd::new(worker, PollFlags::IN)).collect();
        // Of several, one that is silent must not keep another's lines from the screen.
        let tick = (self.request.is_watched || workers.len() > 1).then_some(TICK);
        match poll(&mut polled, tick.as_ref()) {
            Err(rustix::io::Errno::INTR) => return Ok(()),
            other => other
                .map_err(|error| Report::from(fs::PathError::new("wait for", "a stage", io::Error::from(error))))?,
        };
        if tick.is_some() {
            tell(0, BuildEvent::Tick);
        }
        let has_told: Vec<bool> = polled.iter().map(|one| !one.revents().is_empty()).collect();
        for position in (0..workers.len()).rev().filter(|position| has_told[*position]) {
            let index = workers[position].index;
            if let Some(grown) = workers[position].read(&mut |event| tell(index, event)) {
                let worker = workers.remove(position);
                worker.finish();
                self.stages.insert(index, grown?);
            }
        }
        Ok(())
    }
}
