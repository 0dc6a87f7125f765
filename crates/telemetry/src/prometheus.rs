//! Prometheus metrics: one table of names, a recorder behind the `metrics` macros, `GET /metrics`.
//!
//! A process without an endpoint installs no recorder, and the macros do nothing: samples of histograms would pile up
//! with nobody to take them.

mod process;
mod serve;
mod table;

use std::io;
use std::net::SocketAddr;
use std::path::Path;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use tokio::net::TcpListener;

pub use table::{Kind, Metric, PROCESS_METRICS, RECORDED_METRICS, Role};

/// Metrics that cannot be installed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The process has a recorder already.
    #[error("metrics are installed already")]
    Installed,
}

/// The process's metrics, ready to be rendered or served.
#[derive(Clone, Debug)]
pub struct Endpoint {
    handle: PrometheusHandle,
}

impl Endpoint {
    /// The text of one scrape in Prometheus' exposition format 0.0.4: what was recorded, and the process's memory and CPU
    /// time as of now.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = self.handle.render();
        process::render(&mut text);
        text
    }
}

/// Installs the recorder behind `metrics::counter!`, `gauge!` and `histogram!`, and declares the metrics of `role`, so that
/// its counters and gauges without labels are there, at zero, from the first scrape on. Once per process; serve the
/// [`Endpoint`] afterwards.
///
/// # Errors
/// [`Error::Installed`] on a second call.
pub fn install(role: Role) -> Result<Endpoint, Error> {
    let (recorder, endpoint) = recorder(role);
    metrics::set_global_recorder(recorder).map_err(|_| Error::Installed)?;
    Ok(endpoint)
}

/// Installs the process's metrics and serves them on `address` until the process ends. The real address is returned,
/// and written to `file`, complete or not at all.
///
/// # Errors
/// The address cannot be bound, the file cannot be written, or metrics are installed already.
pub async fn listen(address: SocketAddr, role: Role, file: &Path) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    let endpoint = install(role).map_err(io::Error::other)?;
    let temporary = file.with_extension(std::process::id().to_string());
    std::fs::write(&temporary, format!("{address}\n")).and_then(|()| std::fs::rename(&temporary, file))?;
    tokio::spawn(endpoint.serve(listener, std::future::pending()));
    Ok(address)
}

fn recorder(role: Role) -> (PrometheusRecorder, Endpoint) {
    let mut builder = PrometheusBuilder::new();
    for metric in RECORDED_METRICS {
        if let Kind::Histogram { buckets } = metric.kind {
            builder = builder
                .set_buckets_for_metric(Matcher::Full(metric.name.to_owned()), buckets)
                .expect("every histogram of the table has buckets");
        }
    }
    let recorder = builder.build_recorder();
    let handle = recorder.handle();
    metrics::with_local_recorder(&recorder, || table::declare(role));
    (recorder, Endpoint { handle })
}

#[cfg(test)]
mod tests;
