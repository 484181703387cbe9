//! A process as Lambda would start it, and Linux's figures about it.

use std::fs::{self, File};
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::process::{Child, Command};

use crate::runtime_api::RuntimeApi;
use crate::subjects::Subject;
use crate::table::Table;

/// A running process.
pub struct Process {
    child: Child,
    id: u32,
    /// When its start began.
    pub began: Instant,
}

impl Process {
    /// Starts a subject with only the variables that Lambda and the template set.
    pub fn start(subject: &Subject, runtime_api: &RuntimeApi, table: &Table) -> Result<Self, String> {
        let fault = |error: std::io::Error| format!("{}: {error}", subject.program.display());
        let log = File::create(&subject.log).map_err(fault)?;
        let mut command = Command::new(&subject.program);
        command
            .args(&subject.arguments)
            .current_dir(&subject.folder)
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", &runtime_api.address)
            .env("AWS_LAMBDA_FUNCTION_NAME", subject.name)
            .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
            .env("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{}", subject.name))
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "2026/01/02/[1]8476a536e9f411e89739000000000000")
            .env("AWS_REGION", "us-east-1")
            .env("AWS_DEFAULT_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", "ASIAIOSFODNN7EXAMPLE")
            .env("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
            // Lambda's have about this length, and each call carries it.
            .env("AWS_SESSION_TOKEN", "IQoJb3JpZ2luX2VjEXAMPLETOKEN".repeat(32))
            .env("LAMBDA_TASK_ROOT", &subject.folder)
            .env("LANG", "en_US.UTF-8")
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("TZ", ":UTC")
            .env("AWS_ENDPOINT_URL_DYNAMODB", &table.url)
            // Each reader has its own name for this: an AWS SDK, Node, rustls-native-certs.
            .env("AWS_CA_BUNDLE", &table.ca_bundle)
            .env("NODE_EXTRA_CA_CERTS", &table.ca_bundle)
            .env("SSL_CERT_FILE", &table.ca_bundle)
            .env("TABLE_NAME", "users")
            .env("TOKEN_ISSUER", "https://users.local")
            .env("TOKEN_AUDIENCE", "users-api")
            .envs(subject.settings.iter().map(|(name, value)| (*name, value.as_str())))
            .stdin(Stdio::null())
            .stdout(log.try_clone().map_err(fault)?)
            .stderr(log)
            .kill_on_drop(true);
        let began = Instant::now();
        let child = command.spawn().map_err(fault)?;
        let id = child.id().ok_or("it ended at once")?;
        Ok(Self { child, id, began })
    }

    /// Its id.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// The most memory that it ever had resident, in bytes.
    pub fn peak_memory(&self) -> Result<u64, String> {
        let status = self.read("status")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        kilobytes.map(|kilobytes| kilobytes * 1024).ok_or_else(|| "no VmHWM in /proc".to_owned())
    }

    /// The time that its threads have had a processor, user and system.
    pub fn processor_time(&self) -> Result<Duration, String> {
        let threads = fs::read_dir(format!("/proc/{}/task", self.id)).map_err(|error| error.to_string())?;
        let mut nanoseconds = 0;
        for thread in threads.flatten() {
            // A thread may end meanwhile. This has nanoseconds; /proc/<pid>/stat has ticks of 10 ms.
            let Ok(accounts) = fs::read_to_string(thread.path().join("schedstat")) else { continue };
            let ran = accounts.split_whitespace().next().and_then(|ran| ran.parse::<u64>().ok());
            nanoseconds += ran.ok_or("no time in /proc/<pid>/task/<tid>/schedstat")?;
        }
        Ok(Duration::from_nanos(nanoseconds))
    }

    fn read(&self, file: &str) -> Result<String, String> {
        fs::read_to_string(format!("/proc/{}/{file}", self.id)).map_err(|error| format!("/proc: {error}"))
    }

    /// Ends it.
    pub async fn end(mut self) {
        let _ = self.child.kill().await;
    }
}
