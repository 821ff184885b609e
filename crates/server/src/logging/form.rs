//! How a line of the log looks, which may change while others run. There is a layer for each format, since spans last, and what
//! they say is kept in the form that it is told in; all but one of them write nothing.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::config::LogFormat;

/// The format in use. Clones are handles to the same.
#[derive(Debug, Clone)]
pub(super) struct Form {
    json: Arc<AtomicBool>,
}

impl Form {
    pub(super) fn new(format: LogFormat) -> Self {
        Self {
            json: Arc::new((format == LogFormat::Json).into()),
        }
    }

    pub(super) fn set(&self, format: LogFormat) {
        self.json
            .store(format == LogFormat::Json, Ordering::Relaxed);
    }

    fn get(&self) -> LogFormat {
        if self.json.load(Ordering::Relaxed) {
            LogFormat::Json
        } else {
            LogFormat::Text
        }
    }

    /// `inner`, as long as `format` is in use.
    pub(super) fn of<F>(&self, format: LogFormat, inner: F) -> Turn<F> {
        Turn {
            form: self.clone(),
            format,
            inner,
        }
    }
}

/// A format, which writes nothing unless it is in use.
#[derive(Debug)]
pub(super) struct Turn<F> {
    form: Form,
    format: LogFormat,
    inner: F,
}

impl<S, N, F> FormatEvent<S, N> for Turn<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        if self.form.get() == self.format {
            self.inner.format_event(context, writer, event)
        } else {
            Ok(())
        }
    }
}
