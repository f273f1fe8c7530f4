use super::*;

fn shell(script: &str) -> Tool {
    Tool::new("sh").args(["-c", script])
}

#[test]
fn keeps_both_streams_and_the_exit_code() {
    let output = shell("echo out; echo err >&2; exit 3").run_unchecked().unwrap();
    assert_eq!(output.stdout_text(), "out\n");
    assert_eq!(output.stderr_text(), "err\n");
    assert_eq!(output.exit, Some(3));
    assert!(!output.success());
}

#[test]
fn fails_with_the_last_lines_of_standard_error() {
    let error = shell("echo first >&2; echo no such wall >&2; exit 4").run().unwrap_err();
    assert_eq!(error.exit(), Some(4));
    assert_eq!(error.tail(), "first\nno such wall");
    assert!(error.to_string().contains("ended with exit code 4:\nfirst"), "{error}");
}

#[test]
fn quotes_standard_output_where_standard_error_is_empty() {
    let error = shell("echo complaint; exit 1").run().unwrap_err();
    assert_eq!(error.tail(), "complaint");
}

#[test]
fn names_a_missing_program() {
    let error = Tool::new("no-such-program-here").run().unwrap_err();
    assert!(matches!(&error, ToolError::NotFound { program } if program == "no-such-program-here"));
}

#[test]
fn names_a_missing_folder_as_a_start_failure() {
    let error = Tool::new("true").dir("/no/such/folder").run().unwrap_err();
    assert!(matches!(error, ToolError::Start { .. }), "{error:?}");
}

#[test]
fn kills_at_the_time_limit() {
    let start = Instant::now();
    let limit = Duration::from_millis(200);
    let error = shell("echo begun >&2; exec sleep 30").timeout(limit).run().unwrap_err();
    assert!(matches!(&error, ToolError::TimedOut { tail, .. } if tail == "begun"), "{error:?}");
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[test]
fn does_not_wait_for_a_daemon_left_behind() {
    let start = Instant::now();
    shell("sleep 20 & echo started").run().unwrap();
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[test]
fn passes_only_the_listed_variables() {
    let output = Tool::new("env").env("EXTRA", "1").run().unwrap();
    let text = output.stdout_text();
    let names: Vec<&str> = text.lines().filter_map(|l| l.split('=').next()).collect();
    assert!(names.contains(&"EXTRA") && names.contains(&"PATH"));
    // Cargo sets this one for every test; a program must not see it.
    assert!(!names.contains(&"CARGO_MANIFEST_DIR"), "{names:?}");
}

#[test]
fn masks_secrets_in_display_debug_and_errors() {
    let tool = shell("echo token=$TOKEN >&2; echo $0 >&2; exit 1")
        .secret_arg("hunter2")
        .secret_env("TOKEN", "sesame");
    let error = tool.run().unwrap_err();
    for shown in [tool.to_string(), format!("{tool:?}"), error.to_string(), format!("{error:?}")] {
        assert!(!shown.contains("hunter2") && !shown.contains("sesame"), "{shown}");
    }
    assert!(error.tail().contains("token=***"));
}

#[test]
fn appends_to_a_log_and_quotes_only_this_run() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("logs/build.log");
    shell("echo earlier").log_to(&log).run().unwrap();
    let error = shell("echo now; exit 1").log_to(&log).run().unwrap_err();
    assert_eq!(error.tail(), "now");
    assert_eq!(std::fs::read_to_string(&log).unwrap(), "earlier\nnow\n");
}

#[test]
fn gives_standard_input_from_bytes_and_from_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("in");
    std::fs::write(&file, "from a file").unwrap();
    let bytes = Tool::new("cat").stdin("from bytes").run().unwrap();
    assert_eq!(bytes.stdout_text(), "from bytes");
    assert_eq!(Tool::new("cat").stdin_file(&file).run().unwrap().stdout_text(), "from a file");
    assert_eq!(Tool::new("cat").run().unwrap().stdout_text(), "");
}

#[test]
fn quotes_words_so_that_the_line_can_be_pasted() {
    assert_eq!(Tool::new("a").args(["b c", "", "it's"]).to_string(), r"a 'b c' '' 'it'\''s'");
}

#[test]
fn finds_programs_in_path() {
    assert!(find_program("sh").is_some());
    assert!(find_program("no-such-program-here").is_none());
}
