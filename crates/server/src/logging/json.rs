//! A line of the log as one flat JSON object (docs/deploy.md): what an event says, and what the spans around it say,
//! under names that stay the same wherever in the program it happens.

use std::fmt;

use serde_json::{Map, Value};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::{JsonFields, Writer};
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime as Timestamp};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields as _, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

#[derive(Debug)]
pub(super) struct Flat;

impl<S> FormatEvent<S, JsonFields> for Flat
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, JsonFields>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let metadata = event.metadata();
        let mut line = Map::new();
        let mut time = String::new();
        Timestamp.format_time(&mut Writer::new(&mut time))?;
        line.insert("timestamp".to_owned(), time.into());
        line.insert("level".to_owned(), metadata.level().as_str().into());
        line.insert("target".to_owned(), metadata.target().into());
        let spans = context.event_scope().into_iter();
        for span in spans.flat_map(tracing_subscriber::registry::Scope::from_root) {
            if let Some(fields) = span.extensions().get::<FormattedFields<JsonFields>>() {
                merge(&mut line, fields);
            }
        }
        // What the event itself says counts more than what is around it.
        let mut fields = String::new();
        context.format_fields(Writer::new(&mut fields), event)?;
        merge(&mut line, &fields);
        let text = serde_json::to_string(&line).map_err(|_| fmt::Error)?;
        writeln!(writer, "{text}")
    }
}

fn merge(line: &mut Map<String, Value>, fields: &str) {
    if let Ok(Value::Object(fields)) = serde_json::from_str(fields) {
        line.extend(fields);
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn an_event_and_the_spans_around_it_are_one_flat_object() {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .json()
            .event_format(Flat)
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            let _outer = tracing::info_span!("channel", stream = "front", channel = "0").entered();
            let _inner = tracing::info_span!("viewer", viewer = 7).entered();
            tracing::info!(
                event = "viewer_left",
                channel = "sub",
                reason = "\"left\"",
                "left"
            );
        });
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        let mut line: Map<String, Value> = serde_json::from_str(&text).unwrap();
        assert!(
            line.remove("timestamp")
                .is_some_and(|time| time.as_str().unwrap().ends_with('Z'))
        );
        let expected = serde_json::json!({
            "level": "INFO",
            "target": "lunette::logging::json::tests",
            "stream": "front",
            "channel": "sub",
            "viewer": 7,
            "event": "viewer_left",
            "reason": "\"left\"",
            "message": "left",
        });
        assert_eq!(Value::Object(line), expected);
    }
}
