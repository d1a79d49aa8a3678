//! Large bodies are read one after the other on each thread that serves requests, and whatever else is ready there goes in between:
//! who sends one page, or is refused, does not wait behind a row of them.
//!
//! A thread looks at its sockets only once none of its tasks is ready, or after some sixty of them
//! (<https://docs.rs/tokio/latest/tokio/runtime/struct.Builder.html#method.event_interval>): sixty bodies of a millisecond each.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::error::Elapsed;
use tokio::time::timeout;

/// Bytes from which a body is large: a tenth of a millisecond, or more.
const LARGE: usize = 8 * 1024;

thread_local! {
    static DESK: Arc<Semaphore> = Arc::new(Semaphore::new(1));
}

/// Waits for the turn of a body of so many bytes, which lasts until what is returned is dropped; a small one needs none.
///
/// # Errors
/// Its turn did not come within `patience`.
pub async fn turn(bytes: usize, patience: Duration) -> Result<Option<OwnedSemaphorePermit>, Elapsed> {
    if bytes < LARGE {
        return Ok(None);
    }
    let permit = timeout(patience, DESK.with(Arc::clone).acquire_owned()).await?.ok();
    // Comes back after the sockets were looked at, and after all that was ready.
    tokio::task::yield_now().await;
    Ok(permit)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn a_turn_that_does_not_come_is_not_waited_for_for_ever() {
        let _turn = turn(LARGE, PATIENCE).await.unwrap();
        assert!(turn(LARGE, Duration::from_millis(10)).await.is_err());
        assert!(turn(LARGE - 1, Duration::ZERO).await.is_ok());
    }

    #[test]
    fn what_is_small_goes_between_what_is_large() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let order: Rc<RefCell<Vec<String>>> = Rc::default();
        let read = |name: String, bytes| {
            let order = Rc::clone(&order);
            async move {
                let _turn = turn(bytes, PATIENCE).await.unwrap();
                order.borrow_mut().push(name);
            }
        };
        tokio::task::LocalSet::new().block_on(&runtime, async {
            let mut tasks = Vec::new();
            for number in 0..3 {
                tasks.push(tokio::task::spawn_local(read(format!("large {number}"), LARGE)));
            }
            for number in 0..3 {
                tasks.push(tokio::task::spawn_local(read(format!("small {number}"), LARGE - 1)));
            }
            for task in tasks {
                task.await.unwrap();
            }
        });
        assert_eq!(*order.borrow(), ["small 0", "small 1", "small 2", "large 0", "large 1", "large 2"]);
    }

    #[test]
    fn sockets_are_looked_at_between_what_is_large() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (near, far) = std::os::unix::net::UnixStream::pair().unwrap();
        near.set_nonblocking(true).unwrap();
        let (before, all) = tokio::task::LocalSet::new().block_on(&runtime, async {
            let near = tokio::net::UnixStream::from_std(near).unwrap();
            let read = Rc::new(RefCell::new(0));
            let mut tasks = Vec::new();
            for number in 0..50 {
                let (read, far) = (Rc::clone(&read), far.try_clone().unwrap());
                tasks.push(tokio::task::spawn_local(async move {
                    let _turn = turn(LARGE, PATIENCE).await.unwrap();
                    if number == 5 {
                        std::io::Write::write_all(&mut &far, b"a request").unwrap();
                    }
                    *read.borrow_mut() += 1;
                }));
            }
            near.readable().await.unwrap();
            let before = *read.borrow();
            for task in tasks {
                task.await.unwrap();
            }
            (before, *read.borrow())
        });
        assert!((6..=8).contains(&before), "{before} of {all} were read before it was seen");
    }
}
