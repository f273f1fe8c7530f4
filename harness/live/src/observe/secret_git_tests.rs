use super::super::secret_canary::Canary;
use super::super::secret_places::PLANTED;
use super::*;

const VALUE: &str = "s3cret-value-of-a-tenant";

fn hunt() -> Hunt {
    Hunt {
        own: vec![Canary::new("a/secrets.yaml token", VALUE)],
        planted: Canary::new(PLANTED, "planted-by-a-test"),
    }
}

async fn git_in(folder: &Path, arguments: &[&str]) {
    let tool = git(folder)
        .args(["-c", "user.name=t", "-c", "user.email=t@localhost", "-c", "gc.auto=0"])
        .args(arguments);
    run(tool).await.unwrap();
}

/// A repository with a file that a later commit took out, and another that no branch holds.
async fn repository() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    git_in(path, &["init", "--quiet", "--initial-branch", "main"]).await;
    std::fs::write(path.join("a.yaml"), "planted: planted-by-a-test\n").unwrap();
    git_in(path, &["add", "."]).await;
    git_in(path, &["commit", "--quiet", "-m", "one"]).await;
    git_in(path, &["checkout", "--quiet", "-b", "side"]).await;
    std::fs::write(path.join("b.yaml"), format!("token: {VALUE}\n")).unwrap();
    git_in(path, &["add", "."]).await;
    git_in(path, &["commit", "--quiet", "-m", "two"]).await;
    git_in(path, &["checkout", "--quiet", "main"]).await;
    folder
}

async fn searched(folder: &Path) -> SearchedPlace {
    let mut heap = Heap::default();
    Arc::new(hunt()).repositories(&mut heap, &[folder.to_path_buf()]).await;
    told("Git", heap)
}

#[tokio::test]
async fn one_that_was_pushed_once_is_found_loose_packed_and_unreachable() {
    let folder = repository().await;
    let found = async || {
        let place = searched(folder.path()).await;
        assert_eq!(place.blind, None, "{place:?}");
        assert_eq!(place.found.len(), 1, "{place:?}");
        assert!(place.found[0].starts_with("Git blob "), "{place:?}");
        assert!(!place.found[0].contains(VALUE), "{place:?}");
    };
    found().await;
    git_in(folder.path(), &["repack", "-a", "-d", "--quiet"]).await;
    found().await;
    git_in(folder.path(), &["branch", "--quiet", "-D", "side"]).await;
    found().await;
    git_in(folder.path(), &["reflog", "expire", "--expire=now", "--all"]).await;
    git_in(folder.path(), &["gc", "--quiet", "--prune=now"]).await;
    let place = searched(folder.path()).await;
    assert_eq!((place.blind, place.found.len()), (None, 0), "it was swept");
}

#[tokio::test]
async fn what_is_no_repository_is_blind() {
    let folder = tempfile::tempdir().unwrap();
    assert!(searched(folder.path()).await.blind.is_some());
}

#[tokio::test]
async fn repositories_that_cannot_be_listed_are_blind_though_the_plant_is_found() {
    let planted = repository().await;
    let scratch = tempfile::tempdir().unwrap();
    for root in [scratch.path().join("gone"), scratch.path().to_path_buf()] {
        let mut heap = Heap::default();
        Arc::new(hunt()).all_below(&mut heap, &root, Some(planted.path())).await;
        assert!(told("Git", heap).blind.is_some(), "{}", root.display());
    }
}

#[test]
fn a_list_that_breaks_off_is_no_whole_list() {
    let mut heap = Heap::default();
    hunt().objects_of(&mut heap, "x", b"abc blob 5\nhello\nabc blob 9\nhel");
    assert_eq!(heap.read, 1);
    assert!(heap.failed.unwrap().contains("broke off"));
    for size in [usize::MAX, usize::MAX - 1] {
        assert!(split(format!("abc blob {size}\nhello\n").as_bytes()).is_none());
    }
}
