//! Listens.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

use super::connections;
use super::oidc;
use super::options::WebOptions;
use super::router::router;
use super::site::Site;
use super::tls;
use crate::error::{Result, ServeError};
use crate::shared::Shared;
use crate::watch::Watchers;

/// Requests that read stores or the state at a time; further ones wait.
const READERS: usize = 8;
/// How long requests may go on once the daemon ends.
const FAREWELL: Duration = Duration::from_secs(3);

/// The server, which answers until it is stopped.
pub struct Web {
    url: String,
    address: SocketAddr,
    stop: watch::Sender<bool>,
    thread: JoinHandle<()>,
}

impl Web {
    /// Begins to listen.
    ///
    /// # Errors
    /// `Config` for options that make no sense together, such as an address for everybody and nobody to sign in; `Listen`
    /// where the address can't be had.
    pub fn start(options: &WebOptions, shared: Arc<Shared>, watchers: Watchers) -> Result<Web> {
        let listen = |e: std::io::Error| ServeError::Listen {
            address: options.listen.to_string(),
            why: e.to_string(),
        };
        let listener = TcpListener::bind(options.listen).map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        listener.set_nonblocking(true).map_err(listen)?;
        let site = Arc::new(Site::new(options, address, shared, watchers)?);
        let system = |e: std::io::Error| ServeError::System {
            what: "starting the dashboard".into(),
            why: e.to_string(),
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .max_blocking_threads(READERS)
            .thread_name("web")
            .enable_all()
            .build()
            .map_err(system)?;
        let tls = site.certificate.clone().map(tls::config).transpose().map_err(ServeError::Config)?;
        let url = site.url.as_str().trim_end_matches('/').to_owned();
        let listener = {
            let _entered = runtime.enter();
            tokio::net::TcpListener::from_std(listener).map_err(listen)?
        };
        let (stop, stopped) = watch::channel(false);
        runtime.spawn(oidc::routes::watch(site.clone()));
        let (router, limits) = (router(site), options.limits);
        let serving = async move {
            let mut ending = stopped.clone();
            let patience = async {
                // That the other end is gone means the same.
                let _ = ending.wait_for(|stop| *stop).await;
                sleep(FAREWELL).await;
            };
            tokio::select! {
                () = connections::serve(listener, tls, router, limits, stopped) => {}
                () = patience => {}
            }
        };
        let thread = std::thread::Builder::new().name("web".into());
        let thread = thread
            .spawn(move || {
                runtime.block_on(serving);
                runtime.shutdown_background();
            })
            .map_err(system)?;
        Ok(Web { url, address, stop, thread })
    }

    /// Where it is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends it, after what is being answered.
    pub fn stop(self) {
        self.stop.send_replace(true);
        // It ends by itself; one that has panicked has ended, too.
        drop(self.thread.join());
    }
}
