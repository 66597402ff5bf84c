//! Connections: so many at a time, after their TLS handshake where there is TLS, and none that only holds a place.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ConnectInfo;
use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

/// Before the next try, where the system has no more descriptors.
const BREATH: Duration = Duration::from_secs(1);
/// The head of a request is no longer, in bytes.
const LONGEST_HEAD: usize = 16 << 10;

/// Where a request comes from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub(super) SocketAddr);

/// What one who connects may take.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionLimits {
    /// Connections at a time; further ones wait.
    pub connections: usize,
    /// How long a handshake, the head of a request, or its form may take, and how long nothing need be asked.
    pub patience: Duration,
}

impl Default for ConnectionLimits {
    fn default() -> ConnectionLimits {
        ConnectionLimits { connections: 256, patience: Duration::from_secs(15) }
    }
}

/// Serves until it is told to stop and what is being answered then has been.
pub(super) async fn serve(
    listener: TcpListener,
    tls: Option<ServerConfig>,
    router: Router,
    limits: ConnectionLimits,
    stop: watch::Receiver<bool>,
) {
    let tls = tls.map(|config| TlsAcceptor::from(Arc::new(config)));
    let places = Arc::new(Semaphore::new(limits.connections));
    let mut open = JoinSet::new();
    let mut accepting = stop.clone();
    loop {
        let next = tokio::select! {
            () = stopped(&mut accepting) => break,
            next = next(&listener, &places) => next,
        };
        while open.try_join_next().is_some() {}
        let Some((place, stream, peer)) = next else { continue };
        let (tls, router, stop) = (tls.clone(), router.clone(), stop.clone());
        open.spawn(async move {
            let _place = place;
            let router = router.layer(Extension(ConnectInfo(Peer(peer))));
            match tls {
                None => speak(stream, router, limits, stop).await,
                Some(tls) => {
                    if let Ok(Ok(stream)) = timeout(limits.patience, tls.accept(stream)).await {
                        speak(stream, router, limits, stop).await;
                    }
                }
            }
        });
    }
    drop(listener);
    while open.join_next().await.is_some() {}
}

/// The next connection, once there is a place for it.
async fn next(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(tokio::sync::OwnedSemaphorePermit, TcpStream, SocketAddr)> {
    let place = places.clone().acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => Some((place, stream, peer)),
        Err(_) => {
            sleep(BREATH).await;
            None
        }
    }
}

/// Answers one connection's requests.
async fn speak(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    router: Router,
    limits: ConnectionLimits,
    mut stop: watch::Receiver<bool>,
) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limits.patience).max_buf_size(LONGEST_HEAD);
    let service = TowerToHyperService::new(router);
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
    // How a connection ends is its client's affair.
    tokio::select! {
        _ = connection.as_mut() => {}
        () = stopped(&mut stop) => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    // That the other end is gone means the same.
    let _ = stop.wait_for(|stop| *stop).await;
}
