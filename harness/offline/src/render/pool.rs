//! A few jobs at a time, on as many threads as the machine has.

use std::sync::Mutex;
use std::thread::{self, ScopedJoinHandle};

/// The reader of YAML goes down a document on the stack: its deepest one needs more than the
/// two megabytes that a thread gets by default.
const STACK_BYTES: usize = 16 << 20;

/// Does every job, and gives the results in the order of the jobs.
pub(super) fn run<J: Sync, T: Send>(jobs: &[J], work: impl Fn(&J) -> T + Sync) -> Vec<T> {
    let threads = thread::available_parallelism().map_or(2, usize::from).min(jobs.len());
    if threads < 2 {
        return jobs.iter().map(work).collect();
    }
    let open = Mutex::new(jobs.iter().enumerate());
    let next = || open.lock().map_or(None, |mut open| open.next());
    let worker = || {
        let mut done = Vec::new();
        while let Some((index, job)) = next() {
            done.push((index, work(job)));
        }
        done
    };
    let mut results: Vec<(usize, T)> = thread::scope(|scope| {
        let spawn = |_| thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, worker);
        let workers: Vec<_> = (0..threads).map(spawn).filter_map(Result::ok).collect();
        if workers.is_empty() {
            return worker();
        }
        // A job that panicked must not be missing from the results as if there were none.
        let join = |worker: ScopedJoinHandle<'_, _>| {
            worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        workers.into_iter().flat_map(join).collect()
    });
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "job 7")]
    fn a_job_that_panics_is_not_left_out() {
        let jobs: Vec<usize> = (0..100).collect();
        run(&jobs, |job| assert!(*job != 7, "job {job}"));
    }

    #[test]
    fn keeps_the_order() {
        let jobs: Vec<usize> = (0..100).collect();
        let doubled: Vec<usize> = jobs.iter().map(|job| job * 2).collect();
        assert_eq!(run(&jobs, |job| job * 2), doubled);
        assert_eq!(run(&[], |job: &usize| *job), Vec::<usize>::new());
    }
}
