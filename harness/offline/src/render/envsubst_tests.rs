use super::*;
use rstest::rstest;

fn lookup(name: &str) -> Option<String> {
    let known = [("A", "Abcabc"), ("EMPTY", ""), ("N", "7"), ("PATH", "a/b/c.tar.gz"), ("äb", "ü")];
    known.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_string())
}

#[rstest]
#[case("plain", "plain")]
#[case("${A} and ${N}", "Abcabc and 7")]
#[case("$A $ $", "$A $ $")]
#[case("$${A} $$", "${A} $")]
#[case("${X:=one} ${X:-two} ${EMPTY:=three} ${A:=four}", "one two three Abcabc")]
#[case("${X=one} ${EMPTY=two}", "one two")]
#[case("${X:=a ${N} b}", "a 7 b")]
#[case("${X:=${Y:=deep}}", "deep")]
#[case("${X:=}", "")]
#[case("${EMPTY}.", ".")]
#[case("${#A}", "6")]
#[case("${A^^} ${A,,} ${A,} ${N^}", "ABCABC abcabc abcabc 7")]
#[case("${A:1} ${A:1:2} ${A:1:-1} ${A:9}.", "bcabc bc bcab .")]
#[case("${A/b/x} ${A//b/x} ${A//b/} ${A/#A/x} ${A/%bc/x}", "Axcabc Axcaxc Acac xbcabc Abcax")]
#[case("${PATH/\\//-}", "a-b/c.tar.gz")]
#[case("${PATH%.*} ${PATH%%.*} ${PATH#*/} ${PATH##*/}", "a/b/c.tar a/b/c b/c.tar.gz c.tar.gz")]
#[case("${äb}", "ü")]
fn replaces(#[case] text: &str, #[case] expected: &str) {
    assert_eq!(substitute(text, &lookup).unwrap(), expected);
}

#[rstest]
#[case("${X}", "variable not set (strict mode): \"X\"")]
#[case("${#X}", "variable not set (strict mode): \"X\"")]
#[case("${A", "missing closing brace")]
#[case("${}", "unable to parse variable name")]
#[case("${A-b}", "missing closing brace")]
#[case("${A.b}", "missing closing brace")]
#[case("${A:=b", "unable to parse substitution within function")]
#[case("${A:}", "unable to parse substitution within function")]
fn refuses(#[case] text: &str, #[case] expected: &str) {
    assert_eq!(substitute(text, &lookup).unwrap_err(), expected);
}

#[test]
fn depth_has_an_end() {
    let deep = format!("{}{}", "${X:=".repeat(100_000), "}".repeat(100_000));
    assert_eq!(substitute(&deep, &lookup).unwrap_err(), "bad substitution");
}

proptest::proptest! {
    #[test]
    fn never_panics(text in "(\\$|\\{|\\}|:|=|#|%|/|A|ä|\\*|\\[|-|[0-9]){0,40}") {
        let _ = substitute(&text, &lookup);
    }

    #[test]
    fn text_without_a_dollar_stays(text in "[^$]{0,60}") {
        proptest::prop_assert_eq!(substitute(&text, &lookup).unwrap(), text);
    }
}
