//! What is looked at and changed: all of it through the [`Keeper`](crate::config::Keeper), so that there is one truth
//! and one session to a camera. Blocks where a file is written.

use std::collections::BTreeMap;
use std::sync::{MutexGuard, PoisonError};

use hub::{Channel, ChannelId, Stream, StreamId};
use serde_json::{Map, Value as Json, json};

use super::Compat;
use super::envelope::Failure;
use super::shape::{ChannelSent, Order, Present, StreamSent, Teller, bare_stream};
use crate::config::{Change, Condition, EditError, Issue, Mode};

/// How many streams without channels there may be.
const MAX_BARE: usize = 256;

type Done = Result<(), Failure>;

impl Compat {
    /// All streams.
    pub(super) fn list(&self) -> Json {
        let (view, document) = (self.0.keeper.view(), self.0.keeper.document());
        self.teller(&view, &document).streams(&self.bare())
    }

    /// One stream.
    pub(super) fn info(&self, id: &str) -> Result<Json, Failure> {
        if let Some(name) = self.bare().get(id) {
            return Ok(bare_stream(name));
        }
        let (view, document) = (self.0.keeper.view(), self.0.keeper.document());
        let mut streams = view.config.streams.0.iter();
        let (id, stream) = streams
            .find(|(known, _)| known.as_str() == id)
            .ok_or(Failure::StreamNotFound)?;
        Ok(self
            .teller(&view, &document)
            .stream(id, stream, Order::Declared))
    }

    /// One channel.
    pub(super) fn channel_info(&self, id: &str, channel: &str) -> Result<Json, Failure> {
        let (view, document) = (self.0.keeper.view(), self.0.keeper.document());
        let mut streams = view.config.streams.0.iter();
        let found = streams.find(|(known, _)| known.as_str() == id);
        let (id, stream) = found.ok_or(Failure::StreamNotFound)?;
        let channels = stream.whole_channels();
        let mut channels = channels
            .iter()
            .filter(|(known, _)| known.as_str() == channel);
        let (_, settings) = channels.next().ok_or(Failure::StreamNotFound)?;
        Ok(self
            .teller(&view, &document)
            .channel(id, channel, settings, Order::Declared))
    }

    pub(super) fn add(&self, id: &str, stream: StreamSent) -> Done {
        if self.bare().contains_key(id) {
            return Err(Failure::StreamExists);
        }
        if stream.is_bare() {
            return self.add_bare(id, stream.name.unwrap_or_default());
        }
        let settings = stream.settings(None)?;
        self.change(
            &["streams", id],
            &Change::Set(settings, Mode::Replace),
            Expect::New,
        )
    }

    pub(super) fn edit(&self, id: &str, stream: StreamSent) -> Done {
        let bare = self.bare().contains_key(id);
        if stream.is_bare() {
            if !bare {
                self.change(&["streams", id], &Change::Remove, Expect::There)?;
            }
            self.bare()
                .insert(id.to_owned(), stream.name.unwrap_or_default());
            return Ok(());
        }
        let view = self.0.keeper.view();
        let settings = stream.settings(Present::of(&view, id))?;
        let expect = if bare { Expect::New } else { Expect::There };
        self.change(
            &["streams", id],
            &Change::Set(settings, Mode::Replace),
            expect,
        )?;
        self.bare().remove(id);
        Ok(())
    }

    pub(super) fn delete(&self, id: &str) -> Done {
        if self.bare().remove(id).is_some() {
            return Ok(());
        }
        self.change(&["streams", id], &Change::Remove, Expect::There)
    }

    /// Has the cameras of a stream connected anew.
    pub(super) fn reload(&self, id: &str) -> Done {
        if self.bare().contains_key(id) {
            return Ok(());
        }
        let stream = self.stream(id)?;
        stream.channels().iter().for_each(Channel::restart);
        Ok(())
    }

    pub(super) fn add_channel(&self, id: &str, channel: &str, sent: ChannelSent) -> Done {
        let name = self.bare().get(id).cloned();
        let settings = sent.settings(None);
        if let Some(name) = name {
            let mut stream = Map::new();
            stream.insert("name".to_owned(), name.into());
            stream.insert("channels".to_owned(), json!({ channel: settings }));
            self.change(
                &["streams", id],
                &Change::Set(stream, Mode::Replace),
                Expect::New,
            )?;
            self.bare().remove(id);
            return Ok(());
        }
        self.stream(id)?;
        let path = ["streams", id, "channels", channel];
        match self.change(&path, &Change::Set(settings, Mode::Replace), Expect::New) {
            Err(Failure::StreamExists) => Err(Failure::ChannelExists),
            done => done,
        }
    }

    pub(super) fn edit_channel(&self, id: &str, channel: &str, sent: ChannelSent) -> Done {
        let view = self.0.keeper.view();
        let present = Present::of(&view, id).ok_or(Failure::StreamNotFound)?;
        let path = ["streams", id, "channels", channel];
        let Some(only) = present.only(channel) else {
            let settings = sent.settings(present.channel(channel).as_ref());
            return self.change(&path, &Change::Set(settings, Mode::Replace), Expect::There);
        };
        let mut settings = sent.settings(Some(&only));
        // The name is the stream's there.
        settings.insert("name".to_owned(), present.stream.name.clone().into());
        self.change(
            &path[..2],
            &Change::Set(settings, Mode::Replace),
            Expect::There,
        )
    }

    pub(super) fn delete_channel(&self, id: &str, channel: &str) -> Done {
        let stream = self.stream(id)?;
        let last = stream.channels().len() == 1;
        let there = stream
            .channels()
            .iter()
            .any(|known| known.id().as_str() == channel);
        if last && there {
            self.change(&["streams", id], &Change::Remove, Expect::There)?;
            return self.add_bare(id, stream.name().to_owned());
        }
        self.change(
            &["streams", id, "channels", channel],
            &Change::Remove,
            Expect::There,
        )
    }

    /// Has the camera of a channel connected anew.
    pub(super) fn reload_channel(&self, id: &str, channel: &str) -> Done {
        self.channel(id, channel)?.restart();
        Ok(())
    }

    /// What runs as a channel.
    pub(super) fn channel(&self, id: &str, channel: &str) -> Result<Channel, Failure> {
        let stream = self.stream(id)?;
        let channel = ChannelId::new(channel).ok();
        channel
            .and_then(|id| stream.channel(&id).cloned())
            .ok_or(Failure::StreamNotFound)
    }

    /// The first channel of a stream.
    pub(super) fn first_channel(&self, id: &str) -> Result<Channel, Failure> {
        self.stream(id).map(|stream| stream.first_channel().clone())
    }

    pub(super) fn stream(&self, id: &str) -> Result<Stream, Failure> {
        let id = StreamId::new(id).ok();
        id.and_then(|id| self.0.registry.stream(&id))
            .ok_or(Failure::StreamNotFound)
    }

    fn add_bare(&self, id: &str, name: String) -> Done {
        StreamId::new(id).map_err(|error| Failure::Settings(error.to_string()))?;
        if self.stream(id).is_ok() {
            return Err(Failure::StreamExists);
        }
        let mut bare = self.bare();
        if bare.len() >= MAX_BARE {
            let told =
                format!("there are {MAX_BARE} streams without channels already; give them some");
            return Err(Failure::Settings(told));
        }
        bare.insert(id.to_owned(), name);
        Ok(())
    }

    fn change(&self, path: &[&str], change: &Change, expect: Expect) -> Done {
        let any = || Some("*".to_owned());
        let condition = match expect {
            Expect::New => Condition {
                differs: any(),
                ..Condition::default()
            },
            Expect::There => Condition {
                matches: any(),
                ..Condition::default()
            },
        };
        match self.0.keeper.edit(path, change, &condition) {
            Ok(_) => Ok(()),
            Err(error) => Err(failure(error, expect)),
        }
    }

    fn teller<'v>(
        &'v self,
        view: &'v crate::config::View,
        document: &'v toml_edit::DocumentMut,
    ) -> Teller<'v> {
        Teller {
            view,
            document,
            registry: &self.0.registry,
        }
    }

    fn bare(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.0.bare.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What must hold for a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expect {
    /// There is no such thing yet.
    New,
    /// There is.
    There,
}

fn failure(error: EditError, expect: Expect) -> Failure {
    let told = |issues: &[Issue]| {
        let one = |issue: &Issue| format!("{}: {}", issue.path.join("."), issue.message);
        issues.iter().map(one).collect::<Vec<_>>().join("; ")
    };
    match error {
        EditError::Condition(_) if expect == Expect::New => Failure::StreamExists,
        EditError::Condition(_) | EditError::Missing => Failure::StreamNotFound,
        EditError::Conflict(why) => Failure::Settings(why.to_owned()),
        EditError::LockedOut(why) => Failure::Settings(why),
        EditError::Refused(refused) => {
            let one = |refused: &crate::config::Refused| {
                format!("{}: {}", refused.path.join("."), refused.message)
            };
            Failure::Settings(refused.iter().map(one).collect::<Vec<_>>().join("; "))
        }
        EditError::Wrong(inside, outside) => Failure::Settings(told(&[inside, outside].concat())),
        EditError::File(report) => Failure::Settings(format!(
            "the configuration file was changed by hand and makes no sense; mend it first: {report}"
        )),
    }
}
