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
    /// The address cannot be listened on.
    #[error("cannot serve metrics on {address}: {source}")]
    Address {
        /// As asked for.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// The file with the address cannot be written.
    #[error(transparent)]
    File(#[from] tfcoord_fs::Error),
}

/// Where a task writes the address that its metrics are served on: in its own directory.
pub const ADDRESS_FILE: &str = "metrics-address";

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

/// Installs the process's metrics and serves them on `address` until the process ends. The real address is written to
/// the file [`ADDRESS_FILE`] in `dir`.
///
/// # Errors
/// The address cannot be bound, the file cannot be written, or metrics are installed already.
pub async fn listen(address: SocketAddr, role: Role, dir: &Path) -> Result<(), Error> {
    let unbound = |source| Error::Address { address, source };
    let listener = TcpListener::bind(address).await.map_err(unbound)?;
    let bound = listener.local_addr().map_err(unbound)?;
    let endpoint = install(role)?;
    tfcoord_fs::write_atomic(&dir.join(ADDRESS_FILE), format!("{bound}\n").as_bytes(), 0o644)?;
    tracing::info!("metrics on {bound}");
    tokio::spawn(endpoint.serve(listener, std::future::pending()));
    Ok(())
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
