//! Listens.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use axum_server::Handle;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};

use super::options::WebOptions;
use super::router::router;
use super::site::Site;
use super::tls;
use crate::error::{Result, ServeError};
use crate::shared::Shared;
use crate::watch::Watchers;

/// Requests that read stores or the state at a time; further ones wait.
const READERS: usize = 8;
/// How long a request's head, or a handshake, may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long requests may go on once the daemon ends.
const FAREWELL: Duration = Duration::from_secs(3);

/// The server, which answers until it is stopped.
pub struct Web {
    url: String,
    handle: Handle<SocketAddr>,
    thread: JoinHandle<()>,
}

impl Web {
    /// Begins to listen.
    ///
    /// # Errors
    /// `Config` for options that make no sense together, such as an address for everybody and nobody to sign in; `Listen`
    /// where the address can't be had.
    pub fn start(options: &WebOptions, shared: Arc<Shared>, watchers: Watchers) -> Result<Web> {
        let site = Arc::new(Site::new(options, shared, watchers)?);
        let listen = |e: std::io::Error| ServeError::Listen {
            address: options.listen.to_string(),
            why: e.to_string(),
        };
        let listener = TcpListener::bind(options.listen).map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        listener.set_nonblocking(true).map_err(listen)?;
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
        let url = match &site.external {
            Some(external) => external.to_string(),
            None => format!("{}://{address}", if tls.is_some() { "https" } else { "http" }),
        };
        let handle = Handle::new();
        let service = router(site).into_make_service_with_connect_info::<SocketAddr>();
        let serving = {
            let handle = handle.clone();
            async move {
                let mut server = axum_server::from_tcp(listener)?.handle(handle).http1_only();
                server.http_builder().http1().header_read_timeout(PATIENCE);
                let server = server.first_request_timeout(PATIENCE);
                match tls {
                    None => server.serve(service).await,
                    Some(config) => {
                        let acceptor = RustlsAcceptor::new(RustlsConfig::from_config(Arc::new(config)));
                        server.acceptor(acceptor.handshake_timeout(PATIENCE)).serve(service).await
                    }
                }
            }
        };
        let thread = std::thread::Builder::new().name("web".into());
        // Once it listens, nothing makes it end but `stop`.
        let thread = thread.spawn(move || drop(runtime.block_on(serving))).map_err(system)?;
        Ok(Web { url, handle, thread })
    }

    /// Where it is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Ends it, after what is being answered.
    pub fn stop(self) {
        self.handle.graceful_shutdown(Some(FAREWELL));
        drop(self.thread.join());
    }
}
