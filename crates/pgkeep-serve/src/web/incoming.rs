//! Connections, after their TLS handshake where there is TLS.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

/// How long a handshake may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Before the next try, where the system has no more descriptors.
const BREATH: Duration = Duration::from_secs(1);
/// Connections that wait for being served.
const WAITING: usize = 64;

/// Where a request comes from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub(super) SocketAddr);

/// Something to read from and write to.
pub(super) trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

/// Connections that can be spoken on.
pub(super) struct Incoming {
    address: SocketAddr,
    ready: Receiver<(Box<dyn Wire>, SocketAddr)>,
}

impl Incoming {
    /// Takes connections from a listener; a handshake that takes its time holds up no other.
    pub(super) fn new(listener: TcpListener, tls: Option<ServerConfig>) -> std::io::Result<Incoming> {
        let address = listener.local_addr()?;
        let (send, ready) = channel(WAITING);
        let tls = tls.map(|config| TlsAcceptor::from(Arc::new(config)));
        tokio::spawn(accept(listener, tls, send));
        Ok(Incoming { address, ready })
    }
}

async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, send: Sender<(Box<dyn Wire>, SocketAddr)>) {
    while !send.is_closed() {
        let Ok((stream, peer)) = listener.accept().await else {
            sleep(BREATH).await;
            continue;
        };
        // Whom a connection is sent to is gone only when the server ends.
        let Some(tls) = tls.clone() else {
            let _ = send.send((Box::new(stream), peer)).await;
            continue;
        };
        let send = send.clone();
        tokio::spawn(async move {
            if let Ok(Ok(stream)) = timeout(PATIENCE, tls.accept(stream)).await {
                let _ = send.send((Box::new(stream), peer)).await;
            }
        });
    }
}

impl Listener for Incoming {
    type Io = Box<dyn Wire>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.ready.recv().await {
            Some(next) => next,
            // The task that accepts lives as long as this does.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        Ok(self.address)
    }
}

impl Connected<IncomingStream<'_, Incoming>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Incoming>) -> Peer {
        Peer(*stream.remote_addr())
    }
}
