//! In which form figures are sent, and the few steps by which a family of them is written.

use std::fmt;
use std::time::Duration;

use axum::http::HeaderMap;
use axum::http::header::ACCEPT;
use hub::Histogram;
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue, EncodeLabelSet, MetricEncoder,
    NoLabelSet, prometheus_text, text,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};

/// A form that Prometheus reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// <https://prometheus.io/docs/specs/om/open_metrics_spec/>
    OpenMetrics,
    /// The older text, version 0.0.4, which everything reads.
    Text,
}

impl Form {
    /// The form that a client asks for; the older one where it says nothing of the newer.
    pub(super) fn asked(headers: &HeaderMap) -> Self {
        let weight = |kind: &str| {
            headers
                .get_all(ACCEPT)
                .iter()
                .filter_map(|value| value.to_str().ok())
                .flat_map(|value| value.split(','))
                .filter_map(|range| weight(range, kind))
                .fold(0.0, f32::max)
        };
        let open = weight("application/openmetrics-text");
        if open > 0.0 && open >= weight("text/plain") {
            Self::OpenMetrics
        } else {
            Self::Text
        }
    }

    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Text => prometheus_text::CONTENT_TYPE,
        }
    }

    pub(super) fn encode(self, registry: &Registry) -> Result<String, fmt::Error> {
        let mut out = String::new();
        match self {
            Self::OpenMetrics => text::encode(&mut out, registry)?,
            Self::Text => prometheus_text::encode(&mut out, registry)?,
        }
        Ok(out)
    }
}

/// The weight that the media range `range` gives to `kind` (RFC 9110 §12.5.1); none where it is another kind.
fn weight(range: &str, kind: &str) -> Option<f32> {
    let mut parts = range.split(';').map(str::trim);
    if !parts.next()?.eq_ignore_ascii_case(kind) {
        return None;
    }
    let quality = parts.find_map(|part| part.strip_prefix("q="));
    Some(quality.map_or(1.0, |q| q.parse().unwrap_or(0.0)))
}

/// Begins a family of gauges.
pub(super) fn gauges<'a>(
    out: &'a mut DescriptorEncoder<'_>,
    name: &'a str,
    unit: Option<&'a Unit>,
    help: &str,
) -> Result<Family<'a>, fmt::Error> {
    out.encode_descriptor(name, help, unit, MetricType::Gauge)
        .map(Family)
}

/// Begins a family of counters; `_total` comes behind `name` and the unit.
pub(super) fn counters<'a>(
    out: &'a mut DescriptorEncoder<'_>,
    name: &'a str,
    unit: Option<&'a Unit>,
    help: &str,
) -> Result<Family<'a>, fmt::Error> {
    out.encode_descriptor(name, help, unit, MetricType::Counter)
        .map(Family)
}

/// Begins a family of histograms of seconds.
pub(super) fn histograms<'a>(
    out: &'a mut DescriptorEncoder<'_>,
    name: &'a str,
    help: &str,
) -> Result<Family<'a>, fmt::Error> {
    out.encode_descriptor(name, help, Some(&Unit::Seconds), MetricType::Histogram)
        .map(Family)
}

/// A family that was begun.
pub(super) struct Family<'a>(MetricEncoder<'a>);

impl Family<'_> {
    pub(super) fn gauge(
        &mut self,
        labels: &impl EncodeLabelSet,
        value: &impl EncodeGaugeValue,
    ) -> fmt::Result {
        self.0.encode_family(labels)?.encode_gauge(value)
    }

    pub(super) fn counter(
        &mut self,
        labels: &impl EncodeLabelSet,
        value: &impl EncodeCounterValue,
    ) -> fmt::Result {
        self.0
            .encode_family(labels)?
            .encode_counter::<NoLabelSet, _, f64>(value, None)
    }

    pub(super) fn histogram(
        &mut self,
        labels: &impl EncodeLabelSet,
        histogram: &Histogram,
    ) -> fmt::Result {
        let read = histogram.read();
        let bound = |bound: Option<Duration>| bound.map_or(f64::INFINITY, |b| b.as_secs_f64());
        let buckets: Vec<_> = read
            .buckets
            .iter()
            .map(|&(upper, count)| (bound(upper), count))
            .collect();
        self.0
            .encode_family(labels)?
            .encode_histogram::<NoLabelSet>(read.sum.as_secs_f64(), read.count(), &buckets, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(accept: &'static str) -> Form {
        let value = axum::http::HeaderValue::from_static(accept);
        Form::asked(&HeaderMap::from_iter([(ACCEPT, value)]))
    }

    #[test]
    fn a_client_gets_the_form_that_it_asks_for() {
        let prometheus = "application/openmetrics-text;version=1.0.0;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        assert_eq!(asked(prometheus), Form::OpenMetrics);
        assert_eq!(
            asked("text/plain;version=0.0.4;q=0.6,application/openmetrics-text;q=0.5"),
            Form::Text
        );
        assert_eq!(asked("application/openmetrics-text;q=0"), Form::Text);
        assert_eq!(asked("text/html, */*"), Form::Text);
        assert_eq!(Form::asked(&HeaderMap::new()), Form::Text);
    }
}
