//! Waits for evidence that may never come.

use std::future::Future;
use std::time::Duration;

use tokio::time::sleep;

/// Rounds that make up a wait.
const ROUNDS: u32 = 40;

/// Waits for a future, and gives up after a limit.
///
/// The limit is waited for in rounds, one after the other. A round that ends late counts once: where a busy machine lets this process run
/// seldom, those who are to answer still get as many turns as on an idle one.
pub(super) async fn within<T>(limit: Duration, future: impl Future<Output = T>) -> Option<T> {
    let rounds = async {
        for _ in 0..ROUNDS {
            sleep(limit / ROUNDS).await;
        }
    };
    tokio::select! {
        biased;
        done = future => Some(done),
        () = rounds => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_millis(100);

    #[tokio::test]
    async fn who_needs_a_few_turns_gets_them_on_a_machine_that_stands_still_for_longer_than_the_limit() {
        let busy = tokio::spawn(async { std::thread::sleep(3 * LIMIT) });
        let answer = async {
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
        };
        assert_eq!(within(LIMIT, answer).await, Some(()));
        busy.await.unwrap();
    }

    #[tokio::test]
    async fn what_never_comes_is_given_up() {
        assert_eq!(within(LIMIT, std::future::pending::<()>()).await, None);
    }
}
