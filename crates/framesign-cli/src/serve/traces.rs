//! Requests as spans for an OpenTelemetry collector (OTLP over HTTP), by the standard variables
//! `OTEL_*`.
//!
//! A span has what the line of the log has, but for caller, peer and id of the request: no path, no key,
//! and of what a client chose only the trace that it belongs to.

use std::{
    env,
    fmt::Debug,
    pin::Pin,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use opentelemetry::{
    Context, KeyValue, SpanId, TraceFlags, TraceId,
    trace::{
        Span, SpanContext, SpanKind, Status, TraceContextExt, TraceState, Tracer, TracerProvider,
    },
};
use opentelemetry_http::{HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{SpanExporter, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    trace::{SdkTracer, SdkTracerProvider},
};
use tokio::{runtime::Handle, time};
use tracing::warn;

use crate::{exit::FatalError, serve::middleware::trace_parent::TraceParent};

/// The variables that name a collector, the more special first.
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];

/// The longest time that a collector takes for an answer, and the end of the service for the last
/// spans.
const PATIENCE: Duration = Duration::from_secs(5);

/// The most bytes of an answer, which says nothing that is used.
const MAX_ANSWER: usize = 64 * 1024;

/// Tells a collector of requests. Spans wait in a bounded queue; those for which there is no room are
/// dropped.
#[derive(Clone, Debug)]
pub(crate) struct Traces {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
}

/// A request that has ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EndedRequest<'a> {
    /// The trace that it is a part of.
    pub(crate) parent: Option<&'a TraceParent>,
    pub(crate) method: &'static str,
    pub(crate) route: &'static str,
    /// `None` if there was no answer.
    pub(crate) status: Option<u16>,
    pub(crate) took: Duration,
}

impl Traces {
    /// By the variables of the environment; `None` if they name no collector.
    ///
    /// # Errors
    ///
    /// If they name one that cannot be asked.
    pub(crate) fn from_environment() -> Result<Option<Self>, FatalError> {
        let Some(name) = ENDPOINTS.into_iter().find(|name| env::var_os(name).is_some()) else {
            return Ok(None);
        };
        let problem = |problem: String| FatalError::Configuration(format!("{name}: {problem}"));
        let is_clear = env::var(name).is_ok_and(|url| url.starts_with("http://"));
        if !is_clear {
            return Err(problem("expected a URL with http://, of a collector beside it".into()));
        }
        let client = Client::builder(TokioExecutor::new()).build_http();
        let collector = Collector { client, runtime: Handle::current() };
        let exporter = SpanExporter::builder().with_http().with_http_client(collector).build();
        // The error can show the URL, and with it a password.
        let exporter =
            exporter.map_err(|_| problem("expected a URL of a collector, found another".into()))?;
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(resource())
            .build();
        let tracer = provider.tracer("framesign");
        Ok(Some(Self { provider, tracer }))
    }

    /// Notes a request that has just ended.
    pub(crate) fn note(&self, request: &EndedRequest<'_>) {
        let EndedRequest { parent, method, route, status, took } = *request;
        let now = SystemTime::now();
        let mut attributes = vec![
            KeyValue::new("http.request.method", method),
            KeyValue::new("framesign.route", route),
        ];
        attributes.extend(
            status.map(|status| KeyValue::new("http.response.status_code", i64::from(status))),
        );
        let builder = self.tracer.span_builder(format!("{method} {route}"));
        let builder = builder
            .with_kind(SpanKind::Server)
            .with_start_time(now.checked_sub(took).unwrap_or(now))
            .with_attributes(attributes);
        let context = parent.and_then(context).unwrap_or_default();
        let mut span = self.tracer.build_with_context(builder, &context);
        // Refusals are the client's errors, and none of a server (semantic conventions for HTTP).
        if status.is_none_or(|status| status >= 500) {
            span.set_status(Status::error(""));
        }
        span.end_with_timestamp(now);
    }

    /// Sends the spans that wait, within some seconds.
    pub(crate) fn end(&self) {
        if let Err(error) = self.provider.shutdown_with_timeout(PATIENCE) {
            warn!(%error, "the last spans have not reached the collector");
        }
    }
}

/// What all spans have in common. `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` have their say.
fn resource() -> Resource {
    let builder = Resource::builder();
    let builder = match env::var_os("OTEL_SERVICE_NAME") {
        Some(_) => builder,
        None => builder.with_service_name("framesign"),
    };
    builder.with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION"))).build()
}

/// The context of a trace that began elsewhere.
fn context(parent: &TraceParent) -> Option<Context> {
    let trace = TraceId::from_hex(parent.trace_id()).ok()?;
    let span = SpanId::from_hex(parent.parent_id()).ok()?;
    let flags = if parent.is_sampled() { TraceFlags::SAMPLED } else { TraceFlags::NOT_SAMPLED };
    let remote = SpanContext::new(trace, span, flags, true, TraceState::default());
    Some(Context::new().with_remote_span_context(remote))
}

/// The client of the exporter, whose thread has no runtime.
#[derive(Debug)]
struct Collector {
    client: Client<HttpConnector, Full<Bytes>>,
    runtime: Handle,
}

type Answering<'a> = Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'a>>;

impl HttpClient for Collector {
    fn send_bytes<'a, 'b>(&'a self, request: Request<Bytes>) -> Answering<'b>
    where
        'a: 'b,
        Self: 'b,
    {
        let sending = self.runtime.spawn(ask(self.client.clone(), request));
        Box::pin(async { sending.await? })
    }
}

async fn ask(
    client: Client<HttpConnector, Full<Bytes>>,
    request: Request<Bytes>,
) -> Result<Response<Bytes>, HttpError> {
    let asking = async {
        let (parts, body) = client.request(request.map(Full::new)).await?.into_parts();
        let body = Limited::new(body, MAX_ANSWER).collect().await?.to_bytes();
        Ok(Response::from_parts(parts, body))
    };
    time::timeout(PATIENCE, asking).await?
}
