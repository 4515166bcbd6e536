//! Connections: where the service listens, how many at once, how slow they may be, and what they are wrapped in.
//!
//! Goes in: an address, a certificate, bounds. Comes out: connections on which requests come. Without keys only this machine is
//! answered; beyond it there is TLS, or somebody in front who has it. A connection too many is closed at once, one that does
//! not take its answer is closed too. Deliberately unknown here: requests.

use std::future::{Future, Ready, ready};
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready as done};
use std::time::Duration;

use axum::Router;
use axum_server::accept::Accept;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use axum_server::{Handle, Server};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, sleep};

use super::figures::Figures;
use super::{Bounds, Options};
use crate::operations::Error;

/// Connections that may wait to be taken.
const BACKLOG: u32 = 1024;

/// Refuses what would let strangers ask, or let others read what is asked.
///
/// # Errors
/// Says what to add.
pub(super) fn check(options: &Options) -> Result<(), Error> {
    let address = options.listen;
    let here = address.ip().to_canonical().is_loopback();
    let usage = |what: String| Err(Error::Usage(what));
    if options.keys.is_none() && options.behind_proxy {
        return usage(
            "a service behind a proxy is asked by strangers: add `--keys FILE` (`fundaudit serve key new` makes one)"
                .to_owned(),
        );
    }
    if here {
        return Ok(());
    }
    if options.keys.is_none() {
        return usage(format!(
            "cannot listen on {address} without keys: anybody could ask about anybody; add `--keys FILE` (`fundaudit serve key \
             new` makes one), or listen on 127.0.0.1"
        ));
    }
    if options.tls.is_none() && !options.behind_proxy {
        return usage(format!(
            "cannot listen on {address} without TLS: add `--tls-cert FILE --tls-key FILE`, or `--behind-proxy` when a proxy in \
             front has TLS and nobody else reaches this port"
        ));
    }
    Ok(())
}

/// Begins to listen. To be called within the runtime.
///
/// # Errors
/// The address is taken or not of this machine.
pub(super) fn bind(address: SocketAddr) -> Result<TcpListener, Error> {
    let listen = || -> io::Result<TcpListener> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    listen().map_err(|e| Error::Usage(format!("cannot listen on {address}: {e}; choose another with `--listen`")))
}

/// The configuration of TLS, from a certificate chain and its key in PEM.
///
/// # Errors
/// Files that cannot be read, that hold no PEM, or do not belong together.
pub(super) fn tls(certificate: &Path, key: &Path) -> Result<ServerConfig, Error> {
    let wrong = |file: &Path, what: &dyn std::fmt::Display| {
        Error::Usage(format!("cannot use `{}` for TLS: {what}", file.display()))
    };
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|e| wrong(certificate, &e))?;
    if chain.is_empty() {
        return Err(wrong(certificate, &"there is no certificate in it; wanted PEM, the server's first"));
    }
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|e| wrong(key, &e))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|e| wrong(certificate, &e))?
        .with_no_client_auth()
        .with_single_cert(chain, secret)
        .map_err(|e| wrong(certificate, &e))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// Takes connections until the handle says that it is enough.
pub(super) fn serve(
    listener: TcpListener,
    tls: Option<RustlsConfig>,
    router: Router,
    handle: Handle<SocketAddr>,
    bounds: &Bounds,
    figures: Arc<Figures>,
) -> Pin<Box<dyn Future<Output = io::Result<()>> + Send>> {
    let door = Door { places: Arc::new(Semaphore::new(bounds.connections)), write_time: bounds.write_time, figures };
    let mut server = Server::<SocketAddr>::from_listener(listener)
        .handle(handle)
        .http1_only()
        .first_request_timeout(bounds.header_time)
        .accept_error_handler(|_, error| tracing::debug!(%error, "a connection was not taken"));
    server.http_builder().http1().header_read_timeout(bounds.header_time).max_buf_size(256 << 10);
    let service = router.into_make_service();
    match tls {
        None => Box::pin(server.acceptor(door).serve(service)),
        Some(config) => {
            let acceptor = RustlsAcceptor::new(config).handshake_timeout(bounds.header_time).acceptor(door);
            Box::pin(server.acceptor(acceptor).serve(service))
        }
    }
}

/// Lets connections in, so many at once.
#[derive(Clone)]
struct Door {
    places: Arc<Semaphore>,
    write_time: Duration,
    figures: Arc<Figures>,
}

impl<S> Accept<TcpStream, S> for Door {
    type Stream = Connection;
    type Service = S;
    type Future = Ready<io::Result<(Connection, S)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            self.figures.refused_connection();
            return ready(Err(io::Error::other("there are too many connections")));
        };
        self.figures.connected(1);
        let place = Place { _permit: place, figures: Arc::clone(&self.figures) };
        let connection = Connection { stream, write_time: self.write_time, stalled: None, _place: place };
        ready(connection.stream.set_nodelay(true).map(|()| (connection, service)))
    }
}

/// One of so many connections; free again when it is dropped.
struct Place {
    _permit: OwnedSemaphorePermit,
    figures: Arc<Figures>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.figures.connected(-1);
    }
}

/// A connection that is given up when the other side does not take what is sent.
struct Connection {
    stream: TcpStream,
    write_time: Duration,
    /// Until when it may take nothing.
    stalled: Option<Pin<Box<Sleep>>>,
    _place: Place,
}

impl Connection {
    fn sent<T>(&mut self, context: &mut Context<'_>, sent: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if sent.is_ready() {
            self.stalled = None;
            return sent;
        }
        let time = self.write_time;
        done!(self.stalled.get_or_insert_with(|| Box::pin(sleep(time))).as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Connection {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(context, into)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let sent = Pin::new(&mut this.stream).poll_write(context, bytes);
        this.sent(context, sent)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let sent = Pin::new(&mut this.stream).poll_write_vectored(context, parts);
        this.sent(context, sent)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}
