//! What the monitor tells of its container (`rc events`).

use super::directory::ContainerDir;
use super::start::Start;
use crate::plan::ContainerConfig;
use crate::storage::events::{Event, EventKind, EventLog};

/// An event of a container or a pod, now.
pub(crate) fn container_event(config: &ContainerConfig, action: &str) -> Event {
    let kind = if config.sandbox.is_some() { EventKind::Pod } else { EventKind::Container };
    let mut event = Event::new(kind, action, config.id.as_str(), config.name.as_str());
    event.image.clone_from(&config.image.reference);
    event.attributes.clone_from(&config.labels);
    event
}

/// The events of one container.
#[derive(Debug)]
pub(super) struct Chronicle {
    log: EventLog,
    container: Event,
    directory: ContainerDir,
    /// Its time, if the container is created by its start.
    created: Option<String>,
    /// It is known that the container is initialized.
    is_initialized: bool,
    /// A command is attached from the start on.
    is_attached: bool,
    /// The user has requested a stop.
    is_stopped: bool,
}

impl Chronicle {
    /// The events of the container of `start`.
    pub(super) fn new(start: &Start) -> Self {
        Self {
            log: start.events.clone(),
            container: container_event(&start.config, ""),
            directory: start.directory.clone(),
            created: start.is_new.then(|| start.config.created.clone()),
            is_initialized: false,
            is_attached: false,
            is_stopped: false,
        }
    }

    /// The command that starts the program is attached to it.
    pub(super) fn starter_attaches(&mut self) {
        self.is_attached = true;
    }

    /// The container stays, although its program could not be run.
    pub(super) fn created(&mut self) {
        let events = self.create_event();
        self.add(events.as_slice());
    }

    fn create_event(&mut self) -> Option<Event> {
        let time = self.created.take()?;
        Some(Event { time, ..self.container.then("create") })
    }

    /// Everything is prepared, and the program waits.
    pub(super) fn initialized(&mut self) {
        self.is_initialized = true;
        self.happens("init");
    }

    /// The program runs.
    pub(super) fn started(&mut self) {
        if self.created.is_none() {
            self.learn_name();
        }
        self.is_stopped = false;
        let mut events: Vec<Event> = self.create_event().into_iter().collect();
        if !std::mem::take(&mut self.is_initialized) {
            events.push(self.container.then("init"));
        }
        events.push(self.container.then("start"));
        if std::mem::take(&mut self.is_attached) {
            events.push(self.container.then("attach"));
        }
        self.add(&events);
    }

    /// The user has requested a stop.
    pub(super) fn stopping(&mut self) {
        self.is_stopped = true;
    }

    /// The program has ended; `is_last` if it is not restarted, and `is_removed` if the container is removed then.
    pub(super) fn ended(&mut self, code: i32, is_last: bool, is_removed: bool) {
        let died = Event { exit_code: Some(code), ..self.container.then("died") };
        let mut events = vec![died, self.container.then("cleanup")];
        if is_last && self.is_stopped {
            events.push(self.container.then("stop"));
        }
        if is_removed {
            events.push(self.container.then("remove"));
        }
        self.add(&events);
    }

    /// Something else.
    pub(super) fn happens(&mut self, action: &str) {
        self.learn_name();
        self.add(&[self.container.then(action)]);
    }

    /// A signal is sent to the program.
    pub(super) fn signalled(&mut self, number: i32) {
        self.learn_name();
        self.add(&[self.container.then("kill").with("signal", number.to_string())]);
    }

    /// Another program has ended.
    pub(super) fn exec_ended(&mut self, code: i32) {
        self.learn_name();
        self.add(&[Event { exit_code: Some(code), ..self.container.then("exec_died") }]);
    }

    /// The container's health is another one.
    pub(super) fn health(&mut self, status: &str) {
        self.learn_name();
        self.add(&[Event { health: Some(status.to_owned()), ..self.container.then("health_status") }]);
    }

    /// The container may have been renamed. Its directory must be there.
    pub(super) fn learn_name(&mut self) {
        if let Ok(Some(name)) = self.directory.name() {
            self.container.name = name.to_string();
        }
    }

    fn add(&self, events: &[Event]) {
        self.log.add(events);
    }
}
