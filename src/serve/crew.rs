//! The threads that review: as many as processors, with a queue before them that has an end.
//!
//! Goes in: work, each piece with somebody who waits for it. Comes out: its result, or that there is no room. Work that
//! panics ends itself and nothing else; work for which nobody waits any more is not begun. Of the threads that have nothing to
//! do the one that worked last goes on: what it touched is still near its processor. Deliberately unknown here: what the work is.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::clock::Stopwatch;

type Work = Box<dyn FnOnce() + Send>;

/// Threads and what waits for them.
pub(super) struct Crew {
    size: usize,
    queue: Arc<Queue>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

struct Queue {
    waiting: Mutex<Waiting>,
    /// For each thread.
    came: Vec<Condvar>,
    room: usize,
    at_work: AtomicUsize,
}

#[derive(Default)]
struct Waiting {
    work: VecDeque<Work>,
    /// Threads that have nothing to do, the one that worked last behind the others.
    idle: Vec<usize>,
    closed: bool,
}

/// There is no room in the queue.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

impl Crew {
    /// So many threads, and room for so many pieces of work that wait.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(super) fn new(threads: usize, room: usize) -> std::io::Result<Crew> {
        let threads = threads.max(1);
        let came = (0..threads).map(|_| Condvar::new()).collect();
        let queue = Arc::new(Queue { waiting: Mutex::default(), came, room, at_work: AtomicUsize::new(0) });
        let start = |number: usize| {
            let queue = Arc::clone(&queue);
            std::thread::Builder::new().name(format!("review-{number}")).spawn(move || queue.work(number))
        };
        let threads: Vec<_> = (0..threads).map(start).collect::<std::io::Result<_>>()?;
        Ok(Crew { size: threads.len(), queue, threads: Mutex::new(threads) })
    }

    /// Puts work into the queue. The receiver gets its result, or an error where it panicked.
    ///
    /// # Errors
    /// There is no room.
    pub(super) fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<oneshot::Receiver<T>, Full> {
        let (tell, told) = oneshot::channel();
        let work: Work = Box::new(move || {
            if !tell.is_closed() {
                // Who waited may have gone meanwhile.
                let _ = tell.send(work());
            }
        });
        let mut waiting = self.queue.lock();
        if waiting.closed || waiting.work.len() >= self.queue.room {
            return Err(Full);
        }
        waiting.work.push_back(work);
        let next = waiting.idle.pop();
        drop(waiting);
        if let Some(next) = next {
            self.queue.came[next].notify_one();
        }
        Ok(told)
    }

    /// Pieces that wait and pieces at work.
    pub(super) fn load(&self) -> (usize, usize) {
        (self.queue.lock().work.len(), self.queue.at_work.load(Ordering::Relaxed))
    }

    /// Threads that have nothing to do.
    pub(super) fn idle(&self) -> usize {
        let (waiting, at_work) = self.load();
        self.size.saturating_sub(waiting + at_work)
    }

    /// Takes no more work, and waits until what there is is done, so long at most. Comes back: whether all is done.
    pub(super) fn stop(&self, most: Duration) -> bool {
        self.queue.close();
        let since = Stopwatch::start();
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        while threads.iter().any(|thread| !thread.is_finished()) {
            if since.elapsed() >= most {
                return false;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        true
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        self.queue.close();
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Nothing in here panics while it holds the lock.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self) {
        self.lock().closed = true;
        self.came.iter().for_each(Condvar::notify_one);
    }

    fn next(&self, thread: usize) -> Option<Work> {
        let mut waiting = self.lock();
        loop {
            if let Some(work) = waiting.work.pop_front() {
                return Some(work);
            }
            if waiting.closed {
                return None;
            }
            waiting.idle.push(thread);
            waiting = self.came[thread].wait(waiting).unwrap_or_else(PoisonError::into_inner);
            waiting.idle.retain(|idle| *idle != thread);
        }
    }

    fn work(&self, thread: usize) {
        while let Some(work) = self.next(thread) {
            self.at_work.fetch_add(1, Ordering::Relaxed);
            if catch_unwind(AssertUnwindSafe(work)).is_err() {
                tracing::error!("a review panicked, which is a bug; its sender was told, the others go on");
            }
            self.at_work.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn a_full_queue_says_so_and_a_panic_ends_nothing_else() {
        let crew = Crew::new(1, 2).unwrap();
        let (go, wait) = mpsc::channel::<()>();
        let first = crew.ask(move || wait.recv().is_ok()).unwrap();
        while crew.load() != (0, 1) {
            std::thread::yield_now();
        }
        assert_eq!(crew.idle(), 0);
        let bad = crew.ask(|| -> u8 { panic!("on purpose") }).unwrap();
        let good = crew.ask(|| 7).unwrap();
        assert_eq!(crew.load(), (2, 1));
        assert_eq!(crew.ask(|| 8).unwrap_err(), Full);
        go.send(()).unwrap();
        assert_eq!(first.blocking_recv(), Ok(true));
        assert!(bad.blocking_recv().is_err());
        assert_eq!(good.blocking_recv(), Ok(7));
        assert!(crew.stop(Duration::from_secs(10)));
        assert_eq!(crew.ask(|| 9).unwrap_err(), Full, "it has closed");
    }

    #[test]
    fn work_for_which_nobody_waits_is_not_begun() {
        let crew = Crew::new(1, 9).unwrap();
        let (go, wait) = mpsc::channel::<()>();
        let (begun, begins) = mpsc::channel();
        let first = crew.ask(move || wait.recv().is_ok()).unwrap();
        drop(crew.ask(move || begun.send(()).is_ok()).unwrap());
        let last = crew.ask(|| ()).unwrap();
        go.send(()).unwrap();
        first.blocking_recv().unwrap();
        last.blocking_recv().unwrap();
        assert!(begins.try_recv().is_err());
    }
}
