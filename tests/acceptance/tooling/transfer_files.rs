//! `users import` and `users export`: files as people have them.

use std::io::Write as _;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::harness::{ACME, text};
use crate::tooling::transfer::{Desk, counts, provided};

const BCRYPT: &str = "$2b$10$CSZ2JarG4XYbGa.JkfpqnO2wrlbfp5eb5LScHSGo9XGeZ.a.Ic54S";

impl Desk {
    /// A file of `transfer/cases`, byte for byte.
    fn case(&self, name: &str) -> String {
        let case = Path::new(env!("CARGO_MANIFEST_DIR")).join("acceptance/tooling/transfer/cases").join(name);
        let path = self.path(name);
        std::fs::copy(case, &path).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn bytes(&self, name: &str, content: &[u8]) -> String {
        let path = self.path(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    async fn import_to_acme(&self, file: &str, arguments: &[&str]) -> (Value, Vec<String>) {
        let (printed, report) = self.import(file, &[&["--organization", ACME], arguments].concat()).await;
        (printed, report.iter().map(|line| line.replace('"', "")).collect())
    }

    /// What a command warns of, with `--json` in an object.
    async fn warnings(&self, arguments: &[&str]) -> String {
        let output = self.cli.run(&[arguments, &["--force"]].concat()).await;
        assert!(output.status.success(), "{output:?}");
        let told = String::from_utf8(output.stderr).unwrap();
        if !arguments.contains(&"--json") {
            return told;
        }
        let warning =
            |line: &str| serde_json::from_str::<Value>(line).unwrap()["Warning"].as_str().unwrap().to_owned();
        told.lines().map(warning).collect()
    }

    /// The sentence with which an import of a file is refused.
    async fn refusal(&self, file: &str) -> String {
        let output = self.cli.run(&["import", file, "--organization", ACME, "--dry-run", "--json"]).await;
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(output.stdout.is_empty(), "{output:?}");
        let error: Value = serde_json::from_slice(&output.stderr).unwrap();
        error["Error"].as_str().unwrap().strip_prefix(&format!("cannot read {file}: ")).unwrap().to_owned()
    }
}

fn not_read(printed: &Value) -> Vec<String> {
    let names = printed["NotRead"].as_array().unwrap().iter();
    names.map(|one| format!("{} {}", one["Name"].as_str().unwrap(), one["Rows"])).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn auth0s_escape_is_removed_from_each_cell() {
    let desk = Desk::start().await;
    // "Bulk User Exports", Auth0: a ' before each string of a CSV file.
    let (printed, report) = desk.import_to_acme(&desk.case("auth0.csv"), &[]).await;
    assert_eq!((counts(&printed), report), ([1, 1, 0, 0, 0], vec![]));
    let ann = desk.user("ann.real2@example.com").await;
    assert_eq!(
        [&ann["UserId"], &ann["FirstName"], &ann["LastName"]],
        [&json!("auth0|5f02"), &json!("Ann"), &json!("Lee")]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn auth0s_bulk_hashes_are_taken_over_or_told() {
    let desk = Desk::start().await;
    // "Bulk User Import Database Schema and Examples", Auth0.
    let (printed, report) = desk.import_to_acme(&desk.case("bulk.json"), &[]).await;
    assert_eq!(counts(&printed), [4, 4, 0, 0, 0]);
    assert_eq!(printed["PasswordsNotTakenOver"], 1);
    assert_eq!(report, ["4,note,PasswordHash,The password was not taken over: md5 is too weak to be kept."]);
    let bcrypt = "$2b$10$C9hB01.YxRSTcn/ZOOo4j.TW7xCKKFKBSF.C7E0xiUwumqIDqWUXG";
    let pbkdf2 = "$pbkdf2-sha512$i=100000,l=64$KNyFsA2rYCV0/dtIaxwNvg$0anLK97gbL6MWT2zPoAf/pDdo8VylhBx";
    for (number, hash) in [("one", bcrypt), ("two", bcrypt), ("three", pbkdf2), ("four", "")] {
        assert_eq!(desk.hash_of(&format!("bi.{number}.x@example.com")).await, hash, "{number}");
    }
    assert_eq!(printed["NotRead"], json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_are_counted_as_an_editor_counts_them() {
    let desk = Desk::start().await;
    let bad = |line, field| format!("{line},refused,{field},is required");
    let (printed, report) = desk.import_to_acme(&desk.case("crlf.csv"), &[]).await;
    assert_eq!((counts(&printed), report), ([4, 2, 0, 0, 2], vec![bad(3, "LastName"), bad(5, "FirstName")]));

    // A blank line, rows with nothing in them; then a row that is wrong.
    let (printed, report) = desk.import_to_acme(&desk.case("blank.csv"), &[]).await;
    assert_eq!((counts(&printed), report), ([1, 1, 0, 0, 0], vec![]));
    let blank = format!("{}No,,no@example.com\n", provided("cases/blank.csv"));
    for (name, text) in [
        ("lf.csv", blank.clone()),
        ("crlf-blank.csv", blank.replace('\n', "\r\n")),
        ("cr.csv", blank.replace('\n', "\r")),
    ] {
        let (printed, report) = desk.import_to_acme(&desk.file(name, &text), &[]).await;
        assert_eq!((counts(&printed), report), ([2, 0, 1, 0, 1], vec![bad(7, "LastName")]), "{name}");
    }

    // A cell of two lines, the last line without an end, blank lines before the header.
    let text = "\r\n\r\nFirstName,LastName,Email,Note\r\nAnn,Lee,a1@example.com,\"two\r\nlines\"\r\n,Lee,a2@example.com,\"x\r\n\r\ny\"\r\nBob,,a3@example.com,";
    let (printed, report) = desk.import_to_acme(&desk.file("quoted.csv", text), &[]).await;
    let expected = vec![bad(6, "FirstName"), bad(9, "LastName")];
    assert_eq!((counts(&printed), report), ([3, 1, 0, 0, 2], expected));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quotation_mark_without_its_second_hides_nobody() {
    let desk = Desk::start().await;
    let opens = |row: u8, line: u8| {
        format!(
            "{row},refused,,The row has a quotation mark in line {line} that nothing closes: the rest of the file is in it."
        )
    };
    let several = |row: u8| {
        format!(
            "{row},refused,,The row has a cell with a line that looks like a user; a quotation mark may lack its second."
        )
    };
    let cells = |row: u8, cells: u8| {
        format!("{row},refused,,The row has {cells} cells, where the first line has 29 columns.")
    };
    let header = "FirstName,LastName,Email,Note";
    // As firebase-tools writes it (`src/accountExporter.ts`): a name is quoted if it has a comma, and nothing is escaped.
    let firebase = |users: &[(u8, &str)]| -> String {
        let line = |(n, name): &(u8, &str)| {
            format!(
                "uid{n},fb{n}@example.com,true,,,{name},,,,,,,,,,,,,,,,,,1614962089502,1614962089502,,false,,\n"
            )
        };
        users.iter().map(line).collect()
    };
    for (name, text, created, told) in [
        (
            "last.csv",
            format!("{header}\nBob,Lee,q1@example.com,\"open\nCat,Lee,q2@example.com,\n"),
            0,
            vec![opens(2, 2)],
        ),
        (
            "later.csv",
            format!("{header},More\nAnn,Lee,q1@example.com,,\n\nBob,Lee,q2@example.com,\"a\nb\",\"open\nCat,Lee,q3@example.com,,\n"),
            1,
            vec![opens(4, 5)],
        ),
        (
            "name.csv",
            "FirstName,LastName,Email\nBob,\"Lee,q1@example.com\nCat,Lee,q2@example.com".to_owned(),
            0,
            vec![opens(2, 2)],
        ),
        (
            "inches.tsv",
            "FirstName\tLastName\tEmail\tNote\r\nBob\tLee\tq1@example.com\t\"5 inches\r\nCat\tLee\tq2@example.com\t\r\n".to_owned(),
            0,
            vec![opens(2, 2)],
        ),
        // Another one closes it by chance.
        (
            "chance.csv",
            format!("{header}\nBob,Lee,q1@example.com,\"open\nCat,Lee,q2@example.com,\nDan,Lee,q3@example.com,\"hello\"\nEve,Lee,q4@example.com,\n"),
            1,
            vec![several(2)],
        ),
        (
            "inside.csv",
            "FirstName,LastName,Email\nBob,\"Lee,q1@example.com\nCat,Lee\",q2@example.com\n".to_owned(),
            0,
            vec![several(2)],
        ),
        (
            "address.csv",
            "Email,Note,FirstName,LastName\nq1@example.com,\"two\nlines,Bob,Lee\nq2@example.com,\"5\"\" disk\",Cat,Lee\n".to_owned(),
            0,
            vec![several(2)],
        ),
        (
            "note.csv",
            format!("{header}\nBob,Lee,q1@example.com,\"Dear Bob,\nwrite to dan@example.com, Ann, Cat,\nAnn Lee, CEO, ann@example.com\ndan@example.com\n\"\"Eve\"\"\"\n"),
            1,
            vec![],
        ),
        ("open-firebase.csv", firebase(&[(1, "Ann Lee"), (2, "\"Rocky"), (3, "Cat Lee")]), 1, vec![opens(2, 2)]),
        (
            "chance-firebase.csv",
            firebase(&[(1, "Ann Lee"), (2, "\"Rocky"), (3, "Cat Lee"), (4, "Rocky\""), (5, "Eve Lee")]),
            2,
            vec![several(2)],
        ),
        (
            "comma-firebase.csv",
            firebase(&[(1, "Ann Lee"), (2, "\"Bob \"B\", Lee\""), (3, "\"Cat, Lee\""), (4, "Eve\nLee")]),
            2,
            vec![cells(2, 30), cells(4, 6), cells(5, 24)],
        ),
    ] {
        let file = desk.file(name, &text);
        let (printed, report) = desk.import_to_acme(&file, &["--dry-run", "--default-name", "X"]).await;
        let refused = told.len() as u64;
        assert_eq!((counts(&printed), report), ([created + refused, created, 0, 0, refused], told), "{name}");
    }
    let open = "a quotation mark in its first line lacks its second";
    for text in [
        format!("{header},\"More\nBob,Lee,q1@example.com,,\n"),
        format!("{header},\"More\nBob,Lee,q1@example.com,,\"x\"\n"),
        firebase(&[(1, "\"Rocky"), (2, "Cat Lee")]),
        firebase(&[(1, "\"Rocky"), (2, "Rocky\"")]),
    ] {
        assert_eq!(desk.refusal(&desk.file("first.csv", &text)).await, open, "{text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_column_or_member_that_is_there_twice_is_refused() {
    let desk = Desk::start().await;
    let twice = "it has the column Email twice: remove one of them";
    assert_eq!(desk.refusal(&desk.case("dup.csv")).await, twice);
    let like = desk.file("like.csv", "FirstName,LastName,Email,first_name\nA,B,c@example.com,D\n");
    assert_eq!(desk.refusal(&like).await, "it has the column first_name twice: remove one of them");

    let (printed, report) = desk.import_to_acme(&desk.case("dup.jsonl"), &[]).await;
    let expected = vec!["1,refused,,The row has the member Email twice.".to_owned()];
    assert_eq!((counts(&printed), report), ([1, 0, 0, 0, 1], expected.clone()));
    // In a document only that user is refused; so are two spellings of one member.
    let users = r#"[{"FirstName":"A","LastName":"B","Email":"a@example.com","email":"b@example.com"},
        {"FirstName":"A","LastName":"B","Email":"c@example.com","Memberships":[{"OrganizationId":"x","OrganizationId":"y"}]},
        {"FirstName":"A","LastName":"B","Email":"d@example.com"}]"#;
    let (printed, report) = desk.import_to_acme(&desk.file("users.json", users), &[]).await;
    let expected = [
        "1,refused,,The row has the member email twice.",
        "2,refused,,The row has the member OrganizationId twice.",
    ];
    assert_eq!(counts(&printed), [3, 1, 0, 0, 2]);
    assert_eq!(report, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn separators_are_recognised() {
    let desk = Desk::start().await;
    for (name, email) in [
        ("semicolon-bom.csv", "ann.semib@example.com"),
        ("tab.tsv", "ann.tab@example.com"),
        ("sep-line.csv", "ann.sep@example.com"),
    ] {
        let (printed, report) = desk.import_to_acme(&desk.case(name), &[]).await;
        assert_eq!((counts(&printed), report), ([1, 1, 0, 0, 0], vec![]), "{name}");
        assert_eq!(desk.user(email).await["FirstName"], "Ann", "{name}");
    }
    // Excel's line counts as a line; it decides even against the column names.
    let text = "sep=;\r\nFirstName;LastName;Email;\"a,b,c,d\"\r\nAnn;Lee;ann@example.com;\r\n;Lee;x@example.com;\r\n";
    let (printed, report) = desk.import_to_acme(&desk.file("sep.csv", text), &[]).await;
    assert_eq!(
        (counts(&printed), report),
        ([2, 1, 0, 0, 1], vec!["4,refused,FirstName,is required".to_owned()])
    );
    // Excel quotes no comma in a file with semicolons.
    for (name, text) in [
        ("pipe.csv", "FirstName|LastName|Email\nA|B|p1@example.com\n"),
        ("commas.csv", "FirstName;LastName;E-Mail;Notes, comments, remarks, more\nA;B;p2@example.com;x\n"),
        ("quoted.csv", "FirstName;LastName;\"Email\";a,b,c|d|e|f|g\nA;B;p3@example.com;x\n"),
    ] {
        let (printed, report) = desk.import_to_acme(&desk.file(name, text), &[]).await;
        assert_eq!((counts(&printed), report), ([1, 1, 0, 0, 0], vec![]), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn encodings_and_gzip_are_recognised() {
    let desk = Desk::start().await;
    let row = |n: u8| format!("FirstName;LastName;Email\r\nZoë;Müller;z{n}@example.com\r\n");
    let utf16 = |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_le_bytes).collect() };
    let latin1 =
        |text: &str| -> Vec<u8> { text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect() };
    let gzip = |bytes: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let both = [gzip(&utf16(&format!("\u{feff}{}", row(5)))), gzip(&utf16("Zoë;Müller;z6@example.com\r\n"))]
        .concat();
    for (n, bytes, rows) in [
        (1, utf16(&format!("\u{feff}{}", row(1))), 1),
        (2, utf16(&row(2)), 1),
        (3, latin1(&row(3)), 1),
        (4, gzip(row(4).as_bytes()), 1),
        (5, both, 2),
    ] {
        let file = desk.bytes(&format!("{n}.csv"), &bytes);
        let (printed, report) = desk.import_to_acme(&file, &[]).await;
        assert_eq!((counts(&printed), report), ([rows, rows, 0, 0, 0], vec![]), "{n}");
        let zoe = desk.user(&format!("z{n}@example.com")).await;
        assert_eq!([&zoe["FirstName"], &zoe["LastName"]], ["Zoë", "Müller"], "{n}");
        for more in [&[] as &[_], &["--json"]] {
            let told = desk
                .warnings(&[&["import", &file, "--dry-run", "--organization", ACME], more].concat())
                .await;
            assert_eq!(told.contains("is read as Windows-1252"), n == 3, "{n} {told}");
        }
    }
    let hashes = format!("Email;PasswordHash;Note\r\nz3@example.com;{BCRYPT};ë\r\n");
    let hashes = desk.bytes("hashes.csv", &latin1(&hashes));
    let file = desk.file("plain.csv", &row(3));
    let arguments =
        ["import", &file, "--dry-run", "--organization", ACME, "--adopt", "--password-hashes", &hashes];
    let told = desk.warnings(&[&arguments[..], &["--json"]].concat()).await;
    assert!(told.starts_with(&format!("{hashes}: The file is not UTF-8.")), "{told}");
    let gzipped = desk.bytes("cognito.json.gz", &gzip(provided("cognito.json").as_bytes()));
    assert_eq!(desk.import_to_acme(&gzipped, &[]).await.0["Created"], 2);

    // One broken line, here at `?`, is that row's fault, with a byte order mark or without.
    let csv = "FirstName,LastName,Email\nZoë,B,k1@example.com\nZo?,B,k2@example.com\n";
    let [good, bad] = ["Zoë", "Zo?"]
        .map(|name| json!({ "FirstName": name, "LastName": "B", "Email": "k@example.com" }).to_string());
    let lines = format!("{good}\n{bad}\n");
    let utf8 = |mark: &str, text: &str| -> Vec<u8> {
        format!("{mark}{text}").bytes().map(|byte| if byte == b'?' { 0xEB } else { byte }).collect()
    };
    // Half of a character that has two.
    let broken_utf16 = |text: &str| -> Vec<u8> {
        let units = text.encode_utf16().map(|unit| if unit == u16::from(b'?') { 0xD800 } else { unit });
        units.flat_map(u16::to_le_bytes).collect()
    };
    let (not_utf8, not_json) = ("The row is not UTF-8 text.", "The row is not JSON.");
    let not_read = "The row has a character that cannot be read.";
    for (name, bytes, expected) in [
        ("broken.csv", utf8("", csv), format!("3,refused,,{not_utf8}")),
        ("mark.csv", utf8("\u{feff}", csv), format!("3,refused,,{not_utf8}")),
        ("broken.jsonl", utf8("", &lines), format!("2,refused,,{not_json}")),
        ("mark.jsonl", utf8("\u{feff}", &lines), format!("2,refused,,{not_json}")),
        ("utf16.csv", broken_utf16(csv), format!("3,refused,,{not_read}")),
        ("utf16.jsonl", broken_utf16(&lines), format!("2,refused,,{not_read}")),
        ("utf16.json", broken_utf16(&format!("[{good},{bad}]")), format!("2,refused,,{not_read}")),
    ] {
        let (printed, report) = desk.import_to_acme(&desk.bytes(name, &bytes), &["--dry-run"]).await;
        assert_eq!((counts(&printed), report), ([2, 1, 0, 0, 1], vec![expected]), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn json_is_read_in_arrays_lines_pages_and_pretty_printed() {
    let desk = Desk::start().await;
    // `ListUsers`, Amazon Cognito: a page after the other, as a loop over tokens writes them.
    let (printed, report) = desk.import_to_acme(&desk.case("cog-pages.json"), &[]).await;
    assert_eq!((counts(&printed), report), ([2, 2, 0, 0, 0], vec![]));
    let ids = ["50000001-aaaa-bbbb-cccc-dddddddddddd", "50000002-aaaa-bbbb-cccc-dddddddddddd"];
    for (id, created) in ids.iter().zip(["2023-01-01T09:00:00.123Z", "2023-01-01T00:00:00.123Z"]) {
        let user = &desk.world().partition(&format!("USER#{id}")).await[1];
        assert_eq!(text(user, "CreatedAt"), created);
    }
    assert_eq!(not_read(&printed), ["UserLastModifiedDate 2", "UserStatus 2", "Username 2"]);

    let (printed, report) = desk.import_to_acme(&desk.case("pretty-one.json"), &[]).await;
    assert_eq!((counts(&printed), report), ([1, 1, 0, 0, 0], vec![]));
    let user = |n: u8| json!({ "FirstName": "A", "LastName": "B", "Email": format!("j{n}@example.com") });
    let pretty = format!("{:#}\n{:#}", user(1), user(2));
    let array = json!([user(3), user(4)]).to_string();
    let lines = format!("{}\n\n{}", user(5), user(6));
    let pages = format!("{}\n{}\n", json!([user(7)]), json!([user(8)]));
    for (name, content) in [("pretty", pretty), ("array", array), ("lines", lines), ("pages", pages)] {
        let (printed, report) = desk.import_to_acme(&desk.file(&format!("{name}.json"), &content), &[]).await;
        assert_eq!((counts(&printed), report), ([2, 2, 0, 0, 0], vec![]), "{name}");
    }
    // The first line is broken, the others are not.
    let broken = format!("{{\"FirstName\":\n{}\n", user(9));
    let (printed, report) = desk.import_to_acme(&desk.file("broken.jsonl", &broken), &[]).await;
    assert_eq!(
        (counts(&printed), report),
        ([2, 1, 0, 0, 1], vec!["1,refused,,The row is not JSON.".to_owned()])
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_of_an_unknown_shape_gets_one_sentence() {
    let desk = Desk::start().await;
    // "Importing and exporting realms", Keycloak: files of different users, and a realm exported with --users skip.
    for (name, start) in [
        ("kc-federated-users-0.json", "it looks like Keycloak's federated users, whose names"),
        ("kc-realm-no-users.json", "it looks like a Keycloak realm without users. Expected is"),
    ] {
        let refusal = desk.refusal(&desk.case(name)).await;
        assert!(refusal.starts_with(start), "{refusal}");
        // The same on one line, with the realm's own attributes.
        let mut document: Value = serde_json::from_str(&provided(&format!("cases/{name}"))).unwrap();
        document["attributes"] = json!({ "frontendUrl": "" });
        let refusal = desk.refusal(&desk.file(name, &document.to_string())).await;
        assert!(refusal.starts_with(start), "{refusal}");
    }
    let zip = b"PK\x03\x04\x14\0\x06\0\x08\0".as_slice();
    for (content, start) in [
        (zip, "it is a ZIP archive, such as a spreadsheet (.xlsx, .ods): save the sheet as CSV"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "it is not text"),
        (b"\xD0\xCF\x11\xE0\xA1\xB1", "it is an old Excel workbook"),
        (
            b"Ann,Lee,canary@example.com\nBob,Lee,b@example.com\n",
            "its first line looks like a user: put a line",
        ),
        (b"Canary,Canary,canary@example.com\n", "its first line looks like a user: put a line"),
        (b"Canary,Lee,canary@example.com,true,true\n", "its first line looks like a user: put a line"),
        (
            b"Vorname;Nachname;Mail\nAnn;Lee;a@example.com\n",
            "it looks like CSV with the columns Mail, Nachname, Vorname, none of which is an e-mail address. Expected",
        ),
        (
            b"{\"a\": 1,\n\"b\": 2}",
            "it looks like JSON with the members a, b, none of which is an e-mail address.",
        ),
        (b"[{\"Email\": \"a@example.com\"},\n{\"Email\"", "it is not whole JSON: line "),
        (
            b"[\"canary@example.com\", \"b@example.com\"]",
            "it is a list of texts or numbers, not of users. Expected",
        ),
        (b"{\"users\": [1, 2]}", "it is a list of texts or numbers, not of users. Expected"),
    ] {
        let file = desk.bytes("unknown", content);
        let refusal = desk.refusal(&file).await;
        assert!(refusal.starts_with(start), "{refusal}");
        assert!(!refusal.to_lowercase().contains("canary"), "{refusal}");
        assert!(!desk.path("unknown.report.csv").exists());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn technical_users_are_skipped_and_counted() {
    let desk = Desk::start().await;
    let (printed, report) = desk.import_to_acme(&desk.case("realm.json"), &[]).await;
    assert_eq!((counts(&printed), &printed["Skipped"]), ([1, 0, 0, 0, 0], &json!(1)));
    assert_eq!(report, ["1,skipped,,This is a technical user: a program, not a person."]);

    // "Importing and exporting realms", Keycloak: federated users are ids alone.
    let mut realm: Value = serde_json::from_str(&provided("cases/realm.json")).unwrap();
    realm["federatedUsers"] = json!([{ "id": "f:1:ann" }, { "id": "f:1:ben" }]);
    let file = desk.file("federated.json", &realm.to_string());
    for more in [&[] as &[_], &["--json"]] {
        let told = desk.warnings(&[&["import", &file, "--dry-run"], more].concat()).await;
        assert!(told.contains("2 federated users are not read"), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hash_that_fits_no_account_or_two_is_told() {
    let desk = Desk::start().await;
    let other = BCRYPT.replace("CSZ2", "ASZ2");
    // "Export Data", Auth0: password hashes, with the connection in which each is.
    let line = |n: u8, email: &str, hash: &str| {
        json!({ "_id": { "$oid": format!("h{n}") }, "email": email, "email_verified": true, "passwordHash": hash,
            "connection": format!("db{n}") })
        .to_string()
    };
    let user = |n: u8, email: &str| {
        json!({ "user_id": format!("auth0|h{n}"), "email": email, "email_verified": true, "given_name": "A", "family_name": "B" })
            .to_string()
    };
    let nobody = |n: u8| line(n, &format!("nobody{n}@example.com"), BCRYPT);

    // An account of another connection has a password of its own.
    let lines = [
        nobody(3),
        String::new(),
        line(2, "H1@example.com", &other),
        line(1, "h1@example.com", BCRYPT),
        nobody(4),
    ];
    let hashes = desk.file("hashes.ndjson", &lines.join("\n"));
    let users = desk.file("users.ndjson", &[user(1, "h1@example.com"), user(5, "h5@example.com")].join("\n"));
    let arguments = ["import", &users, "--organization", ACME, "--password-hashes", &hashes];
    let told = desk.warnings(&[&arguments[..], &["--json"]].concat()).await;
    assert_eq!(told, format!("{hashes}: no row has the address and id of 3 hashes, in lines 1, 3, 5."));
    assert_eq!(desk.hash_of("h1@example.com").await, BCRYPT);
    let lines: Vec<_> = (0..11).map(nobody).collect();
    let hashes = desk.file("nobodies.ndjson", &lines.join("\n"));
    let arguments = ["import", &users, "--organization", ACME, "--password-hashes", &hashes];
    let told = desk.warnings(&arguments).await;
    assert!(told.contains(" of 11 hashes, in lines 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, …\n"), "{told}");

    // Without ids only the address can tell.
    let row = |n: u8| {
        json!({ "FirstName": "A", "LastName": "B", "Email": format!("id{n}@example.com") }).to_string()
    };
    let users = desk.file("no-ids.jsonl", &[row(1), row(2)].join("\n"));
    let lines = [(1, BCRYPT), (2, &other), (1, BCRYPT), (2, BCRYPT)]
        .map(|(n, hash)| line(n, &format!("id{n}@example.com"), hash));
    let hashes = desk.file("two.ndjson", &lines.join("\n"));
    let (printed, report) = desk.import_to_acme(&users, &["--password-hashes", &hashes]).await;
    let why = "The file of hashes has different ones for the address, in lines 2 and 4. Keep one of them.";
    assert_eq!((counts(&printed), report), ([2, 1, 0, 0, 1], vec![format!("2,refused,PasswordHash,{why}")]));
    assert_eq!(desk.hash_of("id1@example.com").await, BCRYPT);

    // The row has a password of its own.
    let row = |n: u8, field: &str, password: &str| {
        json!({ "FirstName": "A", "LastName": "B", "Email": format!("own{n}@example.com"), field: password })
            .to_string()
    };
    let rows = [
        row(1, "PasswordHash", BCRYPT),
        row(2, "PasswordHash", &other),
        row(3, "Password", "correct horse battery"),
    ];
    let lines = [1, 2, 3].map(|n| line(n, &format!("own{n}@example.com"), BCRYPT));
    let hashes = desk.file("own.ndjson", &lines.join("\n"));
    let file = desk.file("own.jsonl", &rows.join("\n"));
    let (printed, report) = desk.import_to_acme(&file, &["--password-hashes", &hashes]).await;
    let expected = [2, 3].map(|line| {
        let why = format!("The row has a password, and line {line} of the file of hashes has another.");
        format!("{line},refused,PasswordHash,{why} Remove one of them.")
    });
    assert_eq!((counts(&printed), report), ([3, 1, 0, 0, 2], expected.to_vec()));

    let broken = desk.file("broken.csv", "Email,PasswordHash\nown1@example.com\n");
    let arguments = ["import", &file, "--organization", ACME, "--password-hashes", &broken, "--force"];
    desk.cli.refused(&arguments, "broken.csv, line 2: the row has 1 cells, where").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_other_providers_export_is_read() {
    let pbkdf2 = "$pbkdf2-sha256$i=24000$c29tZS1zYWx0LTAwMDAwMQ$4ebNy1PfgtqmDQrdi9PFxOHmzctT34LapQ0K3YvTxcU";
    let lost =
        |line: u8, why: &str| format!("{line},note,PasswordHash,The password was not taken over: {why}.");
    let disabled = |line: u8| {
        format!("{line},note,,The user is disabled where it comes from; --skip-disabled leaves it out.")
    };
    let unverified = |line: u8| {
        format!(
            "{line},refused,Email,was not verified where it comes from: whoever signed up with it may not have it"
        )
    };
    let scrypt = "Firebase's scrypt is not kept here, only argon2id, bcrypt and PBKDF2 are";
    // Modelled on: Firebase CLI reference, "auth:import and auth:export"; Clerk, "Export your users" and the User object
    // of its Backend API; Okta, "Import users from a CSV file" and the Users API; Kinde, "Import users in bulk" and "Move
    // users";
    // FusionAuth, "Search for Users" and "Import Users".
    for (name, id, hash, told, unread) in [
        (
            "firebase.json",
            Some("0WyKz2gkgUZ8hQGzT9Yt1pWsAnn1"),
            "",
            vec![lost(1, scrypt), disabled(2)],
            vec!["lastSignedInAt 1", "providerUserInfo 1"],
        ),
        (
            "firebase.csv",
            Some("0WyKz2gkgUZ8hQGzT9Yt1pWsAnn1"),
            "",
            vec![lost(1, scrypt), disabled(2)],
            vec!["Google ID 1", "Google email 1", "customAttributes 1", "lastSignedInAt 1"],
        ),
        (
            "clerk.csv",
            Some("user_2ann"),
            BCRYPT,
            vec![lost(3, "md5 is too weak to be kept"), unverified(4)],
            vec![
                "unverified_email_addresses 1",
                "username 1",
                "verified_email_addresses 1",
                "verified_phone_numbers 1",
            ],
        ),
        ("clerk.json", Some("user_2ann"), "", vec![disabled(2)], vec!["email_addresses 1", "object 2"]),
        (
            "okta.json",
            Some("00ub0oNGTSWTBKOLGLNR"),
            "$2a$10$CSZ2JarG4XYbGa.JkfpqnO2wrlbfp5eb5LScHSGo9XGeZ.a.Ic54S",
            vec![disabled(2), lost(2, "SHA-512 is too weak to be kept")],
            vec![
                "credentials.emails 1",
                "credentials.provider 1",
                "credentials.recovery_question 1",
                "login 2",
            ],
        ),
        ("okta.csv", None, "", vec![], vec!["department 1", "login 2"]),
        (
            "kinde.csv",
            Some("kp_ann"),
            BCRYPT,
            vec![disabled(3), lost(3, "md5 is too weak to be kept")],
            vec!["external_organization_id 1"],
        ),
        (
            "kinde.ndjson",
            Some("kp_ann"),
            BCRYPT,
            vec![lost(2, "md5 is too weak to be kept"), unverified(3)],
            vec!["feature_flags 1", "identities 1", "organizations 1", "properties 1"],
        ),
        (
            "fusionauth.json",
            Some("00000000-0000-0001-0000-000000000001"),
            pbkdf2,
            vec![disabled(2), lost(2, "salted-md5 is too weak to be kept")],
            vec!["registrations 1"],
        ),
    ] {
        let desk = Desk::start().await;
        let file = desk.file(name, &provided(name));
        let (printed, report) = if name == "okta.csv" {
            // A template says nothing of verified addresses.
            assert_eq!(desk.import_to_acme(&file, &[]).await.0["Refused"], 2);
            desk.import_to_acme(&file, &["--accept-unverified"]).await
        } else {
            desk.import_to_acme(&file, &[]).await
        };
        assert_eq!(printed["Created"], 2, "{name} {printed}");
        assert_eq!(report, told, "{name}");
        assert_eq!(not_read(&printed), unread, "{name}");
        let ann = desk.user("ann@example.com").await;
        let expected = [&json!("Ann"), &json!("Archer"), &json!("+14155550123")];
        assert_eq!([&ann["FirstName"], &ann["LastName"], &ann["PhoneNumber"]], expected, "{name}");
        assert_eq!(desk.user("ben@example.com").await["LastName"], "Dyke", "{name}");
        if let Some(id) = id {
            assert_eq!(ann["UserId"], id, "{name}");
        }
        assert_eq!(desk.hash_of("ann@example.com").await, hash, "{name}");
        assert_eq!(desk.hash_of("ben@example.com").await, "", "{name}");
        if !["clerk.csv", "kinde.csv", "okta.csv"].contains(&name) {
            let user = &desk.world().partition(&format!("USER#{}", id.unwrap())).await[1];
            assert_eq!(text(user, "CreatedAt"), "2021-03-05T16:34:49.502Z", "{name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kindes_columns_need_no_mark() {
    let desk = Desk::start().await;
    // The CSV file of "Import users in bulk", Kinde. It does not say that the address is verified.
    let file =
        desk.file("kinde.csv", "email,id,first_name,last_name\njen@example.com,0001,\"Jen\",\"Smith\"\n");
    assert_eq!(counts(&desk.import_to_acme(&file, &[]).await.0), [1, 0, 0, 0, 1]);
    let (printed, _) = desk.import_to_acme(&file, &["--accept-unverified"]).await;
    assert_eq!((counts(&printed), not_read(&printed)), ([1, 1, 0, 0, 0], vec![]));
    assert_eq!(desk.user("jen@example.com").await["UserId"], "0001");
    // It is a guess, which the operator can put right.
    let told = desk.cli.run(&["import", &file, "--dry-run", "--organization", ACME, "--force"]).await.stderr;
    assert!(String::from_utf8(told).unwrap().contains("read as Kinde's. If it is not, give --from users."));
    let (printed, _) = desk.import_to_acme(&file, &["--from", "users"]).await;
    assert_eq!((counts(&printed), not_read(&printed)), ([1, 0, 1, 0, 0], vec!["id 1".to_owned()]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn auth0s_escape_is_removed_if_fields_were_renamed() {
    let desk = Desk::start().await;
    // "Bulk User Exports", Auth0: `export_as` names a column anew, and any fields may be left out.
    for (columns, cells) in [
        ("user_id,email,first_name,last_name", "'auth0|7a,'ann@example.com,''t Hooft,'Lee"),
        ("email,given_name,family_name", "'ann@example.com,''t Hooft,'Lee"),
    ] {
        let file = desk.file("renamed.csv", &format!("{columns}\n{cells}\n"));
        // Auth0 says nothing of the address here.
        assert_eq!(counts(&desk.import_to_acme(&file, &[]).await.0), [1, 0, 0, 0, 1], "{columns}");
        let (printed, report) = desk.import_to_acme(&file, &["--accept-unverified", "--adopt"]).await;
        assert_eq!((printed["Refused"].as_u64(), report), (Some(0), vec![]), "{columns}");
        let ann = desk.user("ann@example.com").await;
        let expected = [&json!("auth0|7a"), &json!("'t Hooft"), &json!("Lee")];
        assert_eq!([&ann["UserId"], &ann["FirstName"], &ann["LastName"]], expected, "{columns}");
    }
    // An export of ours whose only address begins like a formula.
    let ours = "FirstName,LastName,Email\nA,B,'+a@example.com\n";
    assert_eq!(counts(&desk.import_to_acme(&desk.file("ours.csv", ours), &[]).await.0), [1, 1, 0, 0, 0]);
    assert_eq!(desk.user("+a@example.com").await["FirstName"], "A");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_inside_of_others_and_beside_users_are_named() {
    let desk = Desk::start().await;
    let auth0 =
        json!({ "user_id": "auth0|1", "email": "a@example.com", "email_verified": true, "name": "A B" });
    let page = "The last page in the file names a next one: export that too.";
    for (name, document, unread, remark) in [
        // `ListUsers`, Amazon Cognito; "List or Search Users", Auth0; `UserRepresentation`, Keycloak.
        (
            "cognito",
            json!({ "Users": [{ "Attributes": [{ "Name": "email", "Value": "c@example.com" }] }], "PaginationToken": "x" }),
            vec![],
            page,
        ),
        (
            "auth0",
            json!({ "start": 0, "limit": 1, "length": 1, "total": 5000, "users": [auth0], "note": 1 }),
            vec!["note 1"],
            "The file has 1 of 5000 users: export the other pages too.",
        ),
        (
            "keycloak",
            json!({ "realm": "r", "id": "r", "enabled": true, "groups": [{ "name": "staff" }], "users": [{
                "id": "k1", "email": "k@example.com", "emailVerified": true, "firstName": "A", "lastName": "B",
                "attributes": { "phoneNumber": ["030 1", "030 2"] },
                "credentials": [{ "type": "password" }, { "type": "password" }] }] }),
            vec!["attributes.phoneNumber 1", "credentials.password 1", "groups 1"],
            "",
        ),
    ] {
        let file = desk.file(&format!("{name}.json"), &document.to_string());
        let (printed, _) = desk.import_to_acme(&file, &["--dry-run"]).await;
        assert_eq!(not_read(&printed), unread, "{name}");
        let told =
            desk.cli.run(&["import", &file, "--dry-run", "--organization", ACME, "--force"]).await.stderr;
        let told = String::from_utf8(told).unwrap();
        assert_eq!(told.contains("export"), !remark.is_empty(), "{name}: {told}");
        assert!(told.contains(remark), "{name}: {told}");
    }
}

/// No export holds one, so nothing was put before it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_is_that_of_the_cell() {
    let desk = Desk::start().await;
    let password = "'@Tr0ub4dor&3";
    let csv = format!("FirstName,LastName,Email,PASSWORD\nA,B,p@example.com,{password}\n");
    let json = json!({ "FirstName": "A", "LastName": "B", "Email": "p@example.com", "Password": password });
    for (name, content, counted) in
        [("users.csv", csv, [1, 1, 0, 0, 0]), ("users.jsonl", json.to_string(), [1, 0, 1, 0, 0])]
    {
        let (printed, report) = desk.import_to_acme(&desk.file(name, &content), &[]).await;
        assert_eq!((counts(&printed), report), (counted, vec![]), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hash_is_taken_over_told_or_refused() {
    let desk = Desk::start().await;
    let (salt, hash) = ("c29tZS1zYWx0LTAwMDAwMQ", "4ebNy1PfgtqmDQrdi9PFxOHmzctT34LapQ0K3YvTxcU");
    let taken = format!("$pbkdf2-sha256$i=24000${salt}${hash}");
    // The hashed password object of Okta's Users API.
    let okta = |digest: &str| {
        json!({ "id": "00u1", "status": "ACTIVE",
            "profile": { "firstName": "A", "lastName": "B", "email": "o@example.com", "login": "o@example.com" },
            "credentials": {
                "password": { "hash": { "algorithm": "PBKDF2", "salt": format!("{salt}=="), "iterationCount": 24000,
                    "keySize": 32, "digestAlgorithm": digest, "value": format!("{hash}=") } },
                "emails": [{ "value": "o@example.com", "status": "VERIFIED", "type": "PRIMARY" }] } })
    };
    // `password_hasher` of `CreateUser`, Clerk's Backend API.
    let clerk = |hasher: &str, salt: &str| {
        json!({ "id": "user_1", "first_name": "A", "last_name": "B", "primary_email_address": "c@example.com",
            "verified_email_addresses": "c@example.com", "password_hasher": hasher,
            "password_digest": format!("pbkdf2_sha256$24000${salt}${hash}=") })
    };
    let lost = "its PBKDF2 hash is salted or written in a way that cannot be kept";
    // The providers' APIs do not show hashes.
    let okta_shown = json!({ "id": "00u2", "status": "ACTIVE",
        "profile": { "firstName": "A", "lastName": "B", "email": "s@example.com", "login": "s", "status": "ACTIVE" },
        "credentials": { "password": {}, "emails": [{ "value": "s@example.com", "status": "VERIFIED" }] } });
    let clerk_shown = json!({ "id": "user_2", "first_name": "A", "last_name": "B", "primary_email_address_id": "i",
        "email_addresses": [{ "id": "i", "email_address": "t@example.com", "verification": { "status": "verified" } }],
        "password_enabled": true });
    for (name, user) in [("Okta", okta_shown), ("Clerk", clerk_shown)] {
        let (_, report) = desk.import_to_acme(&desk.file("shown.jsonl", &user.to_string()), &[]).await;
        let told = format!("The password was not taken over: {name}'s API does not show it.");
        assert_eq!(report, [format!("1,note,PasswordHash,{told}")]);
    }
    let peppered = json!({ "id": "user_1", "first_name": "A", "last_name": "B", "primary_email_address": "P@example.com",
        "verified_email_addresses": "p@example.com", "password_hasher": "bcrypt_peppered", "password_digest": BCRYPT });
    let (_, report) = desk.import_to_acme(&desk.file("user.jsonl", &peppered.to_string()), &[]).await;
    let other = "bcrypt_peppered is not kept here, only argon2id, bcrypt and PBKDF2 are";
    assert_eq!(report, [format!("1,note,PasswordHash,The password was not taken over: {other}.")]);
    // "Import Users", FusionAuth: what only the request says is a mark too.
    let user = json!({ "email": "f@example.com", "firstName": "A", "lastName": "B", "verified": true,
        "password": "O2wrlbfp5eb5LScHSGo9XGeZ.a.Ic54S", "salt": "CSZ2JarG4XYbGa.Jkfpqn" });
    let request = json!({ "encryptionScheme": "bcrypt", "factor": 10, "users": [&user] });
    let (printed, _) = desk.import_to_acme(&desk.file("users.json", &request.to_string()), &[]).await;
    assert_eq!((&printed["Created"], &printed["PasswordsNotTakenOver"]), (&json!(1), &json!(1)));
    let (_, report) = desk.import_to_acme(&desk.file("users.jsonl", &user.to_string()), &[]).await;
    let salted = "has a salt beside its Password, which must be a hash then: name the provider with --from";
    assert_eq!(report, [format!("1,refused,,The row {salted}.")]);
    for (email, user, expected) in [
        ("o@example.com", okta("SHA256_HMAC"), &taken),
        ("o@example.com", okta("SHA1_HMAC"), &String::new()),
        ("c@example.com", clerk("pbkdf2_sha256", &format!("{salt}==")), &taken),
        ("c@example.com", clerk("pbkdf2_sha256_django", "some-salt-000001"), &taken),
    ] {
        let desk = Desk::start().await;
        let (printed, report) = desk.import_to_acme(&desk.file("user.jsonl", &user.to_string()), &[]).await;
        assert_eq!(printed["Created"], 1, "{user}");
        assert_eq!(desk.hash_of(email).await, *expected, "{user}");
        let told = format!("1,note,PasswordHash,The password was not taken over: {lost}.");
        assert_eq!(report, if expected.is_empty() { vec![told] } else { vec![] }, "{user}");
    }
    // A hash in the column of passwords would become the password.
    let file =
        desk.file("hash.csv", &format!("FirstName,LastName,Email,password\nA,B,h@example.com,{BCRYPT}\n"));
    let (_, report) = desk.import_to_acme(&file, &[]).await;
    assert_eq!(report, ["2,refused,Password,looks like a hash: name the column PasswordHash"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn disabled_users_are_skipped_when_asked() {
    let desk = Desk::start().await;
    for (name, row) in [
        (
            "auth0",
            json!({ "user_id": "auth0|1", "email": "d1@example.com", "email_verified": true, "given_name": "A", "family_name": "B", "blocked": true }),
        ),
        (
            "keycloak",
            json!({ "id": "2", "email": "d2@example.com", "emailVerified": true, "firstName": "A", "lastName": "B", "enabled": false }),
        ),
        (
            "cognito",
            json!({ "Username": "c", "Enabled": false, "Attributes": [{ "Name": "email", "Value": "d3@example.com" }, { "Name": "email_verified", "Value": "true" }, { "Name": "name", "Value": "A B" }] }),
        ),
        (
            "users",
            json!({ "FirstName": "A", "LastName": "B", "Email": "d4@example.com", "Disabled": "TRUE" }),
        ),
    ] {
        let file = desk.file(&format!("{name}.jsonl"), &row.to_string());
        let (printed, report) = desk.import_to_acme(&file, &["--skip-disabled"]).await;
        assert_eq!((counts(&printed), &printed["Skipped"]), ([1, 0, 0, 0, 0], &json!(1)), "{name}");
        assert_eq!(report, ["1,skipped,,The user is disabled where it comes from."], "{name}");
        let (printed, report) = desk.import_to_acme(&file, &[]).await;
        assert_eq!((counts(&printed), &printed["Disabled"]), ([1, 1, 0, 0, 0], &json!(1)), "{name}");
        let note = "1,note,,The user is disabled where it comes from; --skip-disabled leaves it out.";
        assert_eq!(report, [note], "{name}");
    }
}

/// What an import of one CSV row says, with its refused row if there is one.
async fn outcome_of(desk: &Desk, columns: &str, cells: &str) -> String {
    let file =
        desk.file("one.csv", &format!("FirstName,LastName,Email,{columns}\nA,B,a@example.com,{cells}\n"));
    let (printed, report) = desk.import_to_acme(&file, &["--dry-run"]).await;
    match (printed["Created"].as_u64(), printed["Disabled"].as_u64()) {
        (Some(1), Some(0)) => "active".to_owned(),
        (Some(1), Some(1)) => "disabled".to_owned(),
        _ => report.join("\n"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_file_says_of_a_user_counts_in_any_words() {
    let desk = Desk::start().await;
    let unverified =
        "2,refused,Email,was not verified where it comes from: whoever signed up with it may not have it";
    let odd =
        |name: &str| format!("2,refused,,The row has a value in {name} that is neither true nor false.");
    let odd_status = "2,refused,,The row has a value in Status that says neither that the user is active nor that it is disabled.";
    for (columns, cells, expected) in [
        ("Disabled", "1", "disabled"),
        ("Disabled", "WAHR", "disabled"),
        ("Disabled", "TRUE ", "disabled"),
        ("Disabled", "no", "active"),
        ("Disabled", "", "active"),
        ("Disabled", "x", &odd("Disabled")),
        ("is_suspended", "yes", "disabled"),
        ("Blocked", "VRAI", "disabled"),
        ("BANNED", "true", "disabled"),
        ("enabled", "false", "disabled"),
        ("Is Active", "0", "disabled"),
        ("Active", "true", "active"),
        ("Active", "perhaps", &odd("Active")),
        ("deleted_at", "2024-01-02", "disabled"),
        ("Status", "Suspended", "disabled"),
        ("Status", "active", "active"),
        ("Status", "gold", odd_status),
        ("Active,Disabled", "true,true", "disabled"),
        ("EmailVerified", "1", "active"),
        ("EmailVerified", "WAHR", "active"),
        ("EmailVerified", "0", unverified),
        ("EmailVerified", "", unverified),
        ("EmailVerified", "perhaps", &odd("EmailVerified")),
        ("verified", "no", unverified),
        ("Verified,EmailVerified", "false,true", unverified),
        ("email_verified_at", "", unverified),
        ("email_verified_at", "2024-01-02", "active"),
        ("email_verified_at", "NULL", unverified),
        ("email_verified_at", "0000-00-00 00:00:00", unverified),
        ("email_verified_at", "soon", "2,refused,,The row has a value in EmailVerifiedAt that is no time."),
        ("deleted_at", "\\N", "active"),
    ] {
        assert_eq!(outcome_of(&desk, columns, cells).await, expected, "{columns}: {cells}");
    }
    // Programs leave out what is false.
    let user =
        |email: &str, rest: &str| format!(r#"{{"FirstName":"A","LastName":"B","Email":"{email}"{rest}}}"#);
    let lines = [user("b@example.com", r#","email_verified":true"#), user("c@example.com", "")].join("\n");
    let (_, report) = desk.import_to_acme(&desk.file("left-out.jsonl", &lines), &["--dry-run"]).await;
    assert_eq!(report, [unverified]);
    // A provider's own word that is not understood.
    let blocked = "user_id,email,email_verified,name,blocked\na1,a@example.com,true,A B,perhaps\n";
    let (_, report) = desk.import_to_acme(&desk.file("blocked.csv", blocked), &["--dry-run"]).await;
    assert_eq!(report, [odd("blocked")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_header_in_any_spelling_is_read_alike() {
    let desk = Desk::start().await;
    for name in ["kinde.csv", "clerk.csv", "okta.csv", "cognito.csv", "auth0.csv"] {
        let text = provided(name);
        let (header, rows) = text.split_once('\n').unwrap();
        let mut told = Vec::new();
        for header in [header.to_owned(), header.to_uppercase(), header.replace('_', " ")] {
            let file = desk.file("shouted.csv", &format!("{header}\n{rows}"));
            let (printed, report) = desk.import_to_acme(&file, &["--dry-run"]).await;
            told.push((counts(&printed), report));
        }
        assert!(told.iter().all(|one| *one == told[0]), "{name}: {told:?}");
    }
    // Ours in camel case is not Keycloak's.
    let ours = "firstName,lastName,email,emailVerified,userId\nA,B,own@example.com,true,own_1\n";
    let (printed, _) = desk.import_to_acme(&desk.file("camel.csv", ours), &[]).await;
    assert_eq!((counts(&printed), not_read(&printed)), ([1, 1, 0, 0, 0], vec![]));
    assert_eq!(desk.user("own@example.com").await["UserId"], "own_1");
    // Ids that may be anybody's are not taken, and that is said.
    let ids = "Id,First Name,Last Name,Email\n7,A,B,ids@example.com\n";
    let file = desk.file("ids.csv", ids);
    let output = desk.cli.run(&["import", &file, "--organization", ACME, "--dry-run"]).await;
    assert!(String::from_utf8(output.stderr).unwrap().contains("The ids in the file are not read"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_without_names_follow_an_option() {
    let desk = Desk::start().await;
    let rows = "first name,LAST_NAME,E-Mail\n,,ann.lee@example.com\n ,Doe,sales@example.com\n";
    let file = desk.file("users.csv", rows);
    assert_eq!(counts(&desk.import_to_acme(&file, &[]).await.0), [2, 0, 0, 0, 2]);
    let (printed, _) = desk.import_to_acme(&file, &["--names-from-addresses"]).await;
    assert_eq!(counts(&printed), [2, 2, 0, 0, 0]);
    for (email, first, last) in [("ann.lee@example.com", "ann", "lee"), ("sales@example.com", "sales", "Doe")]
    {
        let user = desk.user(email).await;
        assert_eq!([&user["FirstName"], &user["LastName"]], [first, last]);
    }
    let file = desk.file("more.csv", "FirstName,LastName,Email\n,Lee,b1@example.com\n,,b2@example.com\n");
    let (printed, _) = desk.import_to_acme(&file, &["--default-name", "Unknown"]).await;
    assert_eq!(counts(&printed), [2, 2, 0, 0, 0]);
    for (email, last) in [("b1@example.com", "Lee"), ("b2@example.com", "Unknown")] {
        let user = desk.user(email).await;
        assert_eq!([&user["FirstName"], &user["LastName"]], ["Unknown", last]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_holds_no_formula_and_comes_back_unchanged() {
    let desk = Desk::start().await;
    let row = |n: u8, first: &str, phone: &str| {
        json!({ "UserId": format!("kp_{n}"), "FirstName": first, "LastName": "L", "Email": format!("f{n}@example.com"),
            "PhoneNumber": phone, "Memberships": [], "CreatedBy": "-boss", "CreatedAt": "2020-02-29T12:00:00.5Z" })
    };
    let rows = [
        row(1, "=HYPERLINK(\"http://x\")", "+49 30 1"),
        row(2, "@SUM(1)", "-49 30 1234567"),
        row(3, "'=1", "030 1"),
        row(4, "'t Hooft", "030 2"),
    ];
    let lines: Vec<_> = rows.iter().map(ToString::to_string).collect();
    assert_eq!(counts(&desk.import(&desk.file("in.jsonl", &lines.join("\n")), &[]).await.0), [4, 4, 0, 0, 0]);
    let mut before = desk.world().items().await;
    before.retain(|item| text(item, "PK").starts_with("USER#kp_"));
    for (name, raw) in [("safe.csv", &[][..]), ("raw.csv", &["--raw"][..])] {
        let path = desk.path(name).to_str().unwrap().to_owned();
        desk.cli.json(&[&["export", &path], raw].concat()).await;
        let exported = std::fs::read_to_string(&path).unwrap();
        let is_formula = |line: &str| {
            line.split(',').any(|cell| cell.trim_start_matches('"').starts_with(['=', '+', '-', '@']))
        };
        assert_eq!(exported.lines().any(is_formula), !raw.is_empty(), "{exported}");
        let other = format!("{}-{}", desk.world().table().name(), raw.len());
        desk.cli.json(&["table", "create", "--table", &other]).await;
        let (printed, report) = desk.import(&path, &[&["--table", &other], raw].concat()).await;
        assert_eq!((printed["Refused"].as_u64(), report), (Some(0), vec![]));
        let mut after = desk.world().items_of_table(&other).await;
        after.retain(|item| text(item, "PK").starts_with("USER#kp_"));
        assert_eq!(after, before, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_a_file_or_a_table_holds_steers_the_terminal() {
    let desk = Desk::start().await;
    let evil = "\u{1b}]0;owned\u{7}\u{9b}31m\u{202e}";
    // The parser of arguments leaves whole sequences out.
    let escaped = "\\u{9b}31m\\u{202e}";
    let file = desk.file("users.csv", &format!("FirstName,LastName,Email,{evil}\nA,B,a@example.com,x\n"));
    let unknown = desk.file("unknown.csv", &format!("{evil},x\n1,2\n"));
    let organization = json!({ "PK": { "S": "ORG#org_evil" }, "SK": { "S": "ORG" },
        "Name": { "S": format!("Acme{evil}") }, "Slug": { "S": "acme-evil" } });
    desk.world().put_item(&organization).await;
    let is_shown = |bytes: &[u8], place: &str| {
        let shown = String::from_utf8(bytes.to_vec()).unwrap();
        assert!(!shown.contains(['\u{1b}', '\u{7}', '\u{9b}', '\u{202e}']), "{place}: {shown}");
        shown.contains(escaped)
    };
    let commands: [(&[&str], bool); 7] = [
        (&["import", &file, "--organization", ACME, "--dry-run"], true),
        (&["import", &unknown, "--organization", ACME], true),
        (&["import", evil], true),
        (&["user", "get", "--id", evil], true),
        (&["export", "--format", evil], true),
        (&[evil], true),
        (&["doctor", "--scan"], false),
    ];
    for (arguments, is_expected) in commands {
        let output = desk.cli.run(arguments).await;
        let place = format!("{arguments:?}");
        let on_stdout = is_shown(&output.stdout, &place);
        let on_stderr = is_shown(&output.stderr, &place);
        assert!(on_stdout || on_stderr || !is_expected, "{place}: {output:?}");
    }
}
