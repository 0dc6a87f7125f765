//! `GET /metrics`.

use std::future::Future;
use std::io;
use std::time::Duration;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::time::{MissedTickBehavior, interval};

use super::Endpoint;

/// The exposition format that [`Endpoint::render`] writes.
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Samples of histograms wait in memory until they are sorted into buckets: by a scrape, or by this.
const UPKEEP: Duration = Duration::from_secs(5);

impl Endpoint {
    /// Answers `GET /metrics` on `listener` until `stop` is ready, then finishes the answers under way.
    ///
    /// The caller binds, so that it can advertise the address it holds; bind to loopback, for there is no authentication.
    ///
    /// # Errors
    /// What axum reports for the listener; single connections that fail are dropped.
    pub async fn serve<F>(self, listener: TcpListener, stop: F) -> io::Result<()>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let handle = self.handle.clone();
        let scrape = move || {
            let text = self.render();
            async move { ([(CONTENT_TYPE, TEXT_FORMAT)], text) }
        };
        let router = Router::new().route("/metrics", get(scrape));
        let upkeep = async {
            let mut ticks = interval(UPKEEP);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                handle.run_upkeep();
            }
        };
        tokio::select! {
            served = axum::serve(listener, router).with_graceful_shutdown(stop) => served,
            () = upkeep => Ok(()),
        }
    }
}
