//! `.ci/smoke-stack`, which calls a stack's functions after a deployment; with a program in the place of `aws` that answers
//! as the functions answered to the recorded events.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::harness::ENDPOINTS;

/// Answers what the script asks. `$BROKEN` is a function and what is wrong with it.
const AWS: &str = r#"#!/usr/bin/env bash
set -euo pipefail
value_of() { # of an option
    local name=$1
    shift
    while [ "$1" != "$name" ]; do shift; done
    echo "$2"
}
case "$1 $2" in
    'cloudformation describe-stacks')
        [ "$(value_of --stack-name "$@")" = users-prod ] || exit 254
        for function in $FUNCTIONS; do echo "arn:aws:lambda:us-east-1:1:function:users-prod-$function:live"; done
        ;;
    'lambda get-alias') echo 41 ;;
    'lambda update-alias') echo "$(value_of --function-name "$@") $(value_of --function-version "$@")" >>"$MOVED" ;;
    'lambda invoke')
        event=$(value_of --payload "$@")
        function=$(value_of --function-name "$@")
        function=${function#*users-prod-}
        answer=${*: -1}
        case "$BROKEN" in
            "${function%:live} crashes") echo '{"errorType":"Runtime.ExitError"}' >"$answer"; echo Unhandled ;;
            "${function%:live} is unavailable") echo '{"statusCode": 503, "body": ""}' >"$answer"; echo None ;;
            *) cp "events/answers/${event##*/}" "$answer"; echo None ;;
        esac
        ;;
    *) exit 2 ;;
esac
"#;

struct Stack {
    folder: TempDir,
}

impl Stack {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let aws = folder.path().join("aws");
        fs::write(&aws, AWS).unwrap();
        fs::set_permissions(&aws, fs::Permissions::from_mode(0o755)).unwrap();
        Self { folder }
    }

    fn run(&self, arguments: &[&str], broken: &str) -> Output {
        let functions: Vec<_> = ENDPOINTS.iter().map(|endpoint| endpoint.name).collect();
        let path = format!("{}:{}", self.folder.path().display(), std::env::var("PATH").unwrap());
        Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.ci/smoke-stack"))
            .args(arguments)
            .env("PATH", path)
            .env("FUNCTIONS", format!("{} refresh-signing-keys", functions.join(" ")))
            .env("MOVED", self.folder.path().join("moved"))
            .env("BROKEN", broken)
            .output()
            .unwrap()
    }

    fn moved(&self) -> String {
        fs::read_to_string(self.folder.path().join("moved")).unwrap_or_default()
    }
}

#[test]
fn functions_that_answer_pass_and_nothing_is_moved() {
    let stack = Stack::new();
    let output = stack.run(&["users-prod", "--roll-back", "unread"], "");
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(said.lines().count(), ENDPOINTS.len() + 1, "{said}");
    assert!(said.contains("create-user answers 401\n"), "{said}");
    assert!(said.contains("check-user-exists answers 200\n"), "{said}");
    assert!(said.contains("refresh-signing-keys answers without a status\n"), "{said}");
    assert_eq!(stack.moved(), "");
}

#[test]
fn a_function_that_fails_brings_all_back_to_their_versions() {
    for broken in ["get-profile crashes", "get-profile is unavailable"] {
        let stack = Stack::new();
        let noted = stack.run(&["users-prod", "--versions"], "");
        let versions = stack.folder.path().join("versions");
        fs::write(&versions, &noted.stdout).unwrap();
        let without = stack.run(&["users-prod"], broken);
        assert_eq!((without.status.code(), stack.moved()), (Some(1), String::new()), "{without:?}");
        let output = stack.run(&["users-prod", "--roll-back", versions.to_str().unwrap()], broken);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("get-profile fails: {"), "{said}");
        let moved = stack.moved();
        assert_eq!(moved.lines().count(), ENDPOINTS.len() + 1, "{moved}");
        assert!(moved.contains("arn:aws:lambda:us-east-1:1:function:users-prod-get-profile 41\n"), "{moved}");
    }
}

#[test]
fn a_stack_that_is_not_there_fails_but_has_no_versions_before_its_first_deployment() {
    let stack = Stack::new();
    assert!(!stack.run(&["users-other"], "").status.success());
    let noted = stack.run(&["users-other", "--versions"], "");
    assert_eq!((noted.status.code(), noted.stdout), (Some(0), Vec::new()));
}
