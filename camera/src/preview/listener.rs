//! Who comes in, and how many: a page that everybody could fill with connections would take the descriptors that the
//! camera needs to be opened again.

use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How long to wait after an accept that failed: without descriptors it fails again and again.
const PAUSE: Duration = Duration::from_millis(200);

/// A listener with a number of places. Who finds none waits outside, in the system's queue, and takes no descriptor.
#[derive(Debug)]
pub struct Listener {
    listener: TcpListener,
    places: Arc<Semaphore>,
}

/// A connection, and the place that it takes until this is dropped.
#[derive(Debug)]
pub struct Visit {
    /// The connection.
    pub stream: TcpStream,
    /// Its place.
    pub place: OwnedSemaphorePermit,
}

impl Listener {
    /// With so many places, on a listener that does not block.
    ///
    /// # Errors
    /// The runtime does not take it.
    pub fn new(listener: std::net::TcpListener, places: usize) -> io::Result<Self> {
        Ok(Self { listener: TcpListener::from_std(listener)?, places: Arc::new(Semaphore::new(places)) })
    }

    /// The next connection, when there is a place for it.
    ///
    /// # Errors
    /// The places are gone, which does not happen.
    pub async fn next(&self) -> io::Result<Visit> {
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(io::Error::other)?;
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => return Ok(Visit { stream, place }),
                // A visitor that is gone again, or no descriptor left: neither ends the page.
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    }
}
