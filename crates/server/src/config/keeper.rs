//! The configuration in force. The file, the API and the environment end here, and from here in [`Registry::apply`].

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::SystemTime;

use hub::{Registry, StreamId, StreamSpec};
use serde_json::Value as Json;
use tokio::sync::watch;
use toml_edit::DocumentMut;

use super::change::sorted;
use super::edit::{self, Mode};
use super::etag::{Etag, Seal};
use super::store::{self, Mark};
use super::{
    Author, Change, Condition, Config, EditError, Edited, Environment, Given, Issue, Loaded,
    Report, Text,
};

/// The configuration in force, and the one who changes it. Clones are handles to the same.
#[derive(Debug, Clone)]
pub(crate) struct Keeper(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    registry: Registry,
    environment: Environment,
    /// The file; none where the command line said what to show.
    file: Option<PathBuf>,
    name: String,
    desk: Mutex<Desk>,
    view: watch::Sender<Arc<View>>,
    seal: Seal,
    follower: OnceLock<Box<dyn Follower>>,
}

/// Who puts into force what the configuration says of anything but Streams.
pub(crate) trait Follower: fmt::Debug + Send + Sync {
    /// Gets ready for `loaded`: does all that may fail. What is returned does the rest; dropped, nothing happened.
    ///
    /// # Errors
    /// What can't be as things are.
    fn prepare<'f>(&'f self, loaded: &Loaded) -> Result<Box<dyn FnOnce() + 'f>, Issue>;

    /// Where pages are served, as `config` has it, and whatever counts more.
    fn listen(&self, config: &Config) -> SocketAddr;

    /// What is said elsewhere than in the file and the environment, and counts more.
    fn given(&self) -> Vec<Given>;

    /// What would keep `author` from changing it back once `loaded` is in force, in words.
    fn locks_out(&self, author: &Author, loaded: &Loaded) -> Option<String>;
}

/// What is being worked on, by one at a time.
#[derive(Debug)]
struct Desk {
    text: Text,
    /// The streams that it wishes for.
    streams: Vec<StreamSpec>,
    /// Streams that are in no file, for as long as they are used.
    guests: BTreeMap<StreamId, StreamSpec>,
    /// The state of the files when the text was read.
    mark: Mark,
    /// The file could not be written: the text is in memory alone.
    unsaved: Option<String>,
}

/// The configuration at one moment.
#[derive(Debug)]
pub(crate) struct View {
    pub(crate) config: Config,
    /// The same as the API tells it, secrets masked.
    pub(crate) served: Json,
    /// Counts the changes.
    pub(crate) revision: u64,
    /// Since when it is in force.
    pub(crate) since: SystemTime,
    /// The file, where there is one.
    pub(crate) file: Option<PathBuf>,
    /// Why what was changed over the API is in memory alone, where it is.
    pub(crate) unsaved: Option<String>,
    /// What is wrong with the file as it is now, which is why something else is in force.
    pub(crate) problems: Option<Report>,
    /// The settings that count from the next start on.
    pub(crate) restart: Vec<&'static str>,
    /// The settings as they were at the start.
    first: Arc<Config>,
}

impl Keeper {
    /// Puts `loaded`, which is what `text` says, into force.
    pub(crate) fn start(
        registry: Registry,
        environment: Environment,
        file: Option<PathBuf>,
        text: impl Into<Text>,
        loaded: Loaded,
    ) -> anyhow::Result<Self> {
        registry.apply(loaded.streams.clone())?;
        let name = file.as_ref().map_or_else(
            || "the configuration".to_owned(),
            |file| file.display().to_string(),
        );
        let first = Arc::new(loaded.config.clone());
        let view = View {
            served: served(&loaded.config),
            config: loaded.config,
            revision: 1,
            since: SystemTime::now(),
            file: file.clone(),
            unsaved: None,
            problems: None,
            restart: Vec::new(),
            first,
        };
        let mark = store::mark(&watched(file.as_ref(), &view.config));
        let desk = Desk {
            text: text.into(),
            streams: loaded.streams,
            guests: BTreeMap::new(),
            mark,
            unsaved: None,
        };
        Ok(Self(Arc::new(Inner {
            registry,
            environment,
            file,
            name,
            desk: Mutex::new(desk),
            view: watch::Sender::new(Arc::new(view)),
            seal: Seal::new()?,
            follower: OnceLock::new(),
        })))
    }

    /// From now on `follower` is told of every change before it counts.
    pub(crate) fn tell(&self, follower: impl Follower + 'static) {
        // There is one server.
        let _ = self.0.follower.set(Box::new(follower));
    }

    /// The configuration in force.
    pub(crate) fn view(&self) -> Arc<View> {
        self.0.view.borrow().clone()
    }

    /// The configuration, to look at or to follow.
    pub(crate) fn follow(&self) -> watch::Receiver<Arc<View>> {
        self.0.view.subscribe()
    }

    /// The tag of what stands at `path` now, and how it is served; none where nothing does.
    pub(crate) fn look(&self, path: &[&str]) -> Option<(Etag, Json)> {
        let desk = self.desk();
        let served = at(&self.view().served, path)?.clone();
        Some((self.0.seal.of(&desk.text.document(), path, &served), served))
    }

    /// All of it, with its tag.
    pub(crate) fn look_at_all(&self) -> (Etag, Arc<View>) {
        let desk = self.desk();
        let view = self.view();
        let etag = self.0.seal.of(&desk.text.document(), &[], &view.served);
        (etag, view)
    }

    /// What stands in the file, with secrets and references, or would stand there.
    pub(crate) fn document(&self) -> DocumentMut {
        self.desk().text.document()
    }

    /// Makes `change` at `path`. Blocks: the file is written.
    pub(crate) fn edit(
        &self,
        path: &[&str],
        change: &Change,
        condition: &Condition,
    ) -> Result<Edited, EditError> {
        let mut desk = self.desk();
        if desk.text.is_foreign() && path.first() != Some(&"streams") {
            return Err(EditError::Conflict(
                "a file in RTSPtoWeb's form can't say this; `lunette import` makes one in ours of it",
            ));
        }
        // What was changed by hand just now counts first.
        self.catch_up(&mut desk).map_err(EditError::File)?;
        let view = self.view();
        let present = at(&view.served, path);
        let mut document = desk.text.document();
        let there = present.is_some();
        self.judge(condition, &document, path, present)?;
        match change {
            Change::Set(wanted, mode) => {
                if !there && *mode == Mode::Merge {
                    return Err(EditError::Missing);
                }
                edit::set(&mut document, path, wanted, present, *mode)
                    .map_err(EditError::Refused)?;
            }
            Change::Remove if !there => return Err(EditError::Missing),
            Change::Remove => {
                edit::remove(&mut document, path);
            }
        }
        let text = desk.text.changed(&document);
        let loaded = text
            .check(&self.0.name, &self.0.environment)
            .map_err(|report| sorted(&report, path))?;
        if let Change::Set(wanted, _) = change {
            let elsewhere = self.0.follower.get().map(|follower| follower.given());
            let given = loaded.given.iter().chain(elsewhere.iter().flatten());
            let vain: Vec<Issue> = given
                .filter_map(|given| given.in_vain(wanted, path, present))
                .collect();
            if !vain.is_empty() {
                return Err(EditError::Wrong(vain, Vec::new()));
            }
        }
        if at(&served(&loaded.config), &path[..path.len().min(2)]).is_none() && path.len() > 2 {
            return Err(EditError::Conflict(
                "this is the last channel; delete the stream instead",
            ));
        }
        if let Some(why) = self.locks_out(condition, &loaded) {
            return Err(EditError::LockedOut(why));
        }
        let prepared = self.prepare(&text, &loaded);
        let commit = prepared.map_err(|report| sorted(&report, path))?;
        if text.toml() != desk.text.toml() {
            desk.unsaved = self.save(&text);
            desk.text = text;
        }
        self.adopt(&mut desk, loaded, commit);
        Ok(Edited {
            created: !there,
            unsaved: desk.unsaved.clone(),
            restart: self.view().restart.clone(),
        })
    }

    fn locks_out(&self, condition: &Condition, loaded: &Loaded) -> Option<String> {
        let author = condition.reversible_by.as_ref()?;
        self.0.follower.get()?.locks_out(author, loaded)
    }

    /// Reads the file anew, if it or a file it names has changed, or if there was something wrong: it may be right by now. Blocks. A file that makes no sense changes nothing; what
    /// is wrong with it is logged and told.
    pub(crate) fn reload(&self) {
        let mut desk = self.desk();
        if self.view().problems.is_some() {
            desk.mark = Mark::new();
        }
        // Whether it is bad is in the view.
        let _ = self.catch_up(&mut desk);
    }

    /// Whether a file differs from what was read.
    pub(crate) fn is_stale(&self) -> bool {
        let view = self.view();
        store::mark(&watched(self.0.file.as_ref(), &view.config)) != self.desk().mark
    }

    fn catch_up(&self, desk: &mut Desk) -> Result<(), Report> {
        let Some(file) = &self.0.file else {
            return Ok(());
        };
        let view = self.view();
        let mark = store::mark(&watched(Some(file), &view.config));
        if mark == desk.mark {
            return view.problems.clone().map_or(Ok(()), Err);
        }
        desk.mark = mark;
        let loaded = Text::read(file, Some(&desk.text)).and_then(|text| {
            let loaded = text.check(&self.0.name, &self.0.environment)?;
            let commit = self.prepare(&text, &loaded)?;
            Ok((text, loaded, commit))
        });
        match loaded {
            Ok((text, loaded, commit)) => {
                if desk.unsaved.take().is_some() && text.toml() != desk.text.toml() {
                    tracing::warn!(
                        "the file was changed: what was changed over the API and could not be saved is gone"
                    );
                }
                if text.warnings() != desk.text.warnings() {
                    text.warn();
                }
                desk.text = text;
                self.adopt(desk, loaded, commit);
                Ok(())
            }
            Err(report) => {
                tracing::error!("the configuration stays as it was: {report}");
                self.publish(|view| view.problems = Some(report.clone()));
                Err(report)
            }
        }
    }

    /// What is to be done for `loaded`, which is what `text` says, to be in force.
    fn prepare(&self, text: &Text, loaded: &Loaded) -> Result<Box<dyn FnOnce() + '_>, Report> {
        let Some(follower) = self.0.follower.get() else {
            return Ok(Box::new(|| ()));
        };
        let prepared = follower.prepare(loaded);
        prepared.map_err(|issue| Report::new(&self.0.name, text.toml(), vec![issue]))
    }

    /// Puts `loaded` into force, with what `commit` does for it.
    fn adopt(&self, desk: &mut Desk, loaded: Loaded, commit: Box<dyn FnOnce() + '_>) {
        // The configuration was checked: ids are unique, and every Stream has a Channel.
        desk.streams = loaded.streams;
        let Some(applied) = self.apply(desk) else {
            return;
        };
        commit();
        desk.mark = store::mark(&watched(self.0.file.as_ref(), &loaded.config));
        let before = self.view();
        let same = before.config == loaded.config && before.problems.is_none();
        if same && before.unsaved == desk.unsaved && applied == hub::Applied::default() {
            return;
        }
        let restart = self.restart(&before.first, &loaded.config);
        tracing::info!(
            added = applied.added.len(),
            changed = applied.changed.len(),
            removed = applied.removed.len(),
            ?restart,
            "the configuration has changed"
        );
        self.publish(|view| {
            view.served = served(&loaded.config);
            view.config = loaded.config;
            view.revision += 1;
            view.since = SystemTime::now();
            view.unsaved.clone_from(&desk.unsaved);
            view.problems = None;
            view.restart = restart;
        });
    }

    /// What differs between the two of what is looked at when the server starts alone.
    fn restart(&self, first: &Config, now: &Config) -> Vec<&'static str> {
        let follower = self.0.follower.get();
        let at = |config: &Config| follower.map_or(config.server.listen, |f| f.listen(config));
        // Where nothing else is said, it is at the address of the pages.
        let moved = at(first).ip() != at(now).ip();
        let (before, webrtc) = (&first.webrtc, &now.webrtc);
        let sockets = before.listen != webrtc.listen || before.tcp != webrtc.tcp;
        let webrtc = sockets || (moved && webrtc.listen.is_none());
        webrtc.then_some("webrtc").into_iter().collect()
    }

    /// Has a stream run that is in no file. Blocks.
    pub(crate) fn invite(&self, guest: StreamSpec) {
        let mut desk = self.desk();
        desk.guests.insert(guest.id.clone(), guest);
        self.apply(&desk);
    }

    /// Has such streams go. Blocks.
    pub(crate) fn dismiss(&self, guests: &[StreamId]) {
        let mut desk = self.desk();
        desk.guests.retain(|id, _| !guests.contains(id));
        self.apply(&desk);
    }

    /// Has those run that are on the desk.
    fn apply(&self, desk: &Desk) -> Option<hub::Applied> {
        let mut wished = desk.streams.clone();
        let known: HashSet<StreamId> = wished.iter().map(|stream| stream.id.clone()).collect();
        let guests = desk
            .guests
            .values()
            .filter(|guest| !known.contains(&guest.id));
        wished.extend(guests.cloned());
        let applied = self.0.registry.apply(wished);
        applied
            .inspect_err(|error| tracing::error!(%error, "the configuration can't be applied"))
            .ok()
    }

    fn publish(&self, change: impl FnOnce(&mut View)) {
        self.0.view.send_modify(|view| {
            let before = &**view;
            let mut after = View {
                config: before.config.clone(),
                served: before.served.clone(),
                file: before.file.clone(),
                unsaved: before.unsaved.clone(),
                problems: before.problems.clone(),
                restart: before.restart.clone(),
                first: Arc::clone(&before.first),
                ..*before
            };
            change(&mut after);
            *view = Arc::new(after);
        });
    }

    /// Writes `text`; returns why it is in memory alone, where it is.
    fn save(&self, text: &Text) -> Option<String> {
        let Some(file) = &self.0.file else {
            return Some(
                "there is no configuration file: this holds until the server ends".to_owned(),
            );
        };
        let error = store::save(file, &text.in_its_form(), text.is_foreign()).err()?;
        let name = file.display();
        let why = format!("{name} can't be written ({error}): this holds until the server ends");
        tracing::warn!("{why}");
        Some(why)
    }

    fn judge(
        &self,
        condition: &Condition,
        document: &DocumentMut,
        path: &[&str],
        served: Option<&Json>,
    ) -> Result<(), EditError> {
        let tag = served.map(|served| self.0.seal.of(document, path, served));
        if let Some(tags) = &condition.matches {
            let tag = tag.as_ref().ok_or(EditError::Condition(
                "If-Match was sent, but there is no such thing",
            ))?;
            if !tag.is_in(tags) {
                return Err(EditError::Condition(
                    "it was changed since: get it anew, and send its ETag as If-Match",
                ));
            }
        }
        match (&condition.differs, tag) {
            (Some(tags), Some(tag)) if tag.is_in(tags) => Err(EditError::Condition(
                "If-None-Match was sent, and it is there already",
            )),
            _ => Ok(()),
        }
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        // Each change is whole: what a panic left is what was before.
        self.0.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The files whose change means to read the configuration anew.
fn watched(file: Option<&PathBuf>, config: &Config) -> Vec<PathBuf> {
    file.into_iter().chain(config.files()).cloned().collect()
}

/// What stands at `path`.
pub(super) fn at<'j>(json: &'j Json, path: &[&str]) -> Option<&'j Json> {
    path.iter().try_fold(json, |json, key| json.get(key))
}

fn served(config: &Config) -> Json {
    serde_json::to_value(config).expect("the configuration is texts, numbers, lists and tables")
}
