//! Where the coordinator is: a standing one that the environment names, or the embedded one of a state directory.

use crate::failure::{Code, Failure};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tfcoord_client::{Bearer, Endpoint, Pulse};
use tfcoord_proto::CONTROL_MESSAGE_BYTES_MAX;
use tfcoord_proto::v1::coordinator_client::CoordinatorClient;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;

/// The coordinator's client, with the bearer token on every call.
pub type Client = CoordinatorClient<InterceptedService<Channel, Bearer>>;

/// How long one attempt to connect may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// Where the coordinator is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// One that stands by itself.
    Standing {
        /// Where it listens.
        endpoint: Endpoint,
        /// The file that holds the client's token.
        token_file: PathBuf,
    },
    /// One that this client may start.
    Embedded {
        /// Its state directory.
        state_dir: PathBuf,
    },
}

/// The variables of the environment that say where things are.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// `TFCOORD_COORDINATOR`
    pub coordinator: Option<String>,
    /// `TFCOORD_TOKEN_FILE`
    pub token_file: Option<PathBuf>,
    /// `TFCOORD_STATE_DIR`
    pub state_dir: Option<PathBuf>,
    /// `XDG_STATE_HOME`
    pub state_home: Option<PathBuf>,
    /// `HOME`
    pub home: Option<PathBuf>,
}

impl Environment {
    /// The environment of this process; an empty variable is as good as none.
    pub fn read() -> Self {
        let var = |name| std::env::var_os(name).filter(|value: &OsString| !value.is_empty());
        let path = |name| var(name).map(PathBuf::from);
        Self {
            coordinator: var("TFCOORD_COORDINATOR").map(|text| text.to_string_lossy().into_owned()),
            token_file: path("TFCOORD_TOKEN_FILE"),
            state_dir: path("TFCOORD_STATE_DIR"),
            state_home: path("XDG_STATE_HOME"),
            home: path("HOME"),
        }
    }

    /// The place that it names.
    ///
    /// # Errors
    /// When it contradicts itself or names none.
    pub fn place(self) -> Result<Place, Failure> {
        let wrong = |message: String| Failure::new(Code::File, message);
        if let Some(text) = self.coordinator {
            let endpoint = text.parse().map_err(|error| wrong(format!("TFCOORD_COORDINATOR: {error}")))?;
            let token_file = self.token_file.ok_or_else(|| {
                wrong("TFCOORD_COORDINATOR is set, but TFCOORD_TOKEN_FILE is not".into())
                    .help("name the file that holds the coordinator's token")
            })?;
            return Ok(Place::Standing { endpoint, token_file });
        }
        // As the XDG base directory specification has it, a relative one does not count.
        let state_home = self.state_home.filter(|path| path.is_absolute()).map(|path| path.join("tfcoord"));
        let home = self.home.map(|path| path.join(".local/state/tfcoord"));
        let none = || wrong("there is no home directory to keep the state in".into()).help("set TFCOORD_STATE_DIR to a directory");
        let state_dir = self.state_dir.or(state_home).or(home).ok_or_else(none)?;
        let state_dir = std::path::absolute(&state_dir).map_err(|error| wrong(format!("{}: {error}", state_dir.display())))?;
        Ok(Place::Embedded { state_dir })
    }
}

impl Place {
    /// A client that is connected now, for who waits so long for a coordinator.
    ///
    /// # Errors
    /// `Err(Ok(why))`: nobody answers there. `Err(Err(failure))`: it makes no sense to try again.
    pub async fn connect(&self, patience: Duration) -> Result<Client, Result<String, Failure>> {
        let (endpoint, token_file) = match self {
            Place::Standing { endpoint, token_file } => (endpoint.clone(), token_file.clone()),
            Place::Embedded { state_dir } => (endpoint_of(state_dir).map_err(Ok)?, state_dir.join("token")),
        };
        let channel =
            endpoint.connect_with(CONNECT_WITHIN.min(patience), Pulse::of(patience)).await.map_err(|error| Ok(error.to_string()))?;
        let bearer = Bearer::from_file(&token_file).map_err(|error| Err(Failure::new(Code::Authentication, error.to_string())))?;
        Ok(CoordinatorClient::with_interceptor(channel, bearer).max_decoding_message_size(CONTROL_MESSAGE_BYTES_MAX))
    }

    /// That nobody answers here, and what to do about it.
    pub fn unreachable(&self, why: &str) -> Failure {
        match self {
            Place::Standing { .. } => Failure::new(Code::Unreachable, format!("no coordinator answers: {why}"))
                .help("see that it runs there; TFCOORD_COORDINATOR says where, without it an embedded one is started"),
            Place::Embedded { state_dir } => Failure::new(Code::Unreachable, format!("the embedded coordinator does not answer: {why}"))
                .help(format_args!("its log is {}", state_dir.join("coordinator.log").display())),
        }
    }
}

fn endpoint_of(state_dir: &Path) -> Result<Endpoint, String> {
    let file = state_dir.join("endpoint");
    let text = std::fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    text.trim().parse().map_err(|error| format!("{}: {error}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn embedded(environment: Environment) -> String {
        match environment.place().unwrap() {
            Place::Embedded { state_dir } => state_dir.to_str().unwrap().to_owned(),
            place => panic!("{place:?}"),
        }
    }

    #[test]
    fn the_state_directory_is_the_nearest_one_named() {
        let home = Environment { home: Some("/srv/ann".into()), ..Environment::default() };
        assert_eq!(embedded(home.clone()), "/srv/ann/.local/state/tfcoord");
        let relative = Environment { state_home: Some("state".into()), ..home.clone() };
        assert_eq!(embedded(relative), "/srv/ann/.local/state/tfcoord");
        let xdg = Environment { state_home: Some("/state".into()), ..home };
        assert_eq!(embedded(xdg.clone()), "/state/tfcoord");
        assert_eq!(embedded(Environment { state_dir: Some("/tmp/x".into()), ..xdg }), "/tmp/x");
        assert!(Environment::default().place().unwrap_err().message.contains("TFCOORD_STATE_DIR"));
    }

    #[test]
    fn a_standing_coordinator_needs_an_endpoint_and_a_token() {
        let named = |coordinator: &str, token_file: Option<&str>| {
            let coordinator = Some(coordinator.to_owned());
            Environment { coordinator, token_file: token_file.map(Into::into), ..Environment::default() }.place()
        };
        assert!(matches!(named("127.0.0.1:7600", Some("/t")), Ok(Place::Standing { .. })));
        assert!(named("127.0.0.1:7600", None).unwrap_err().message.contains("TFCOORD_TOKEN_FILE"));
        assert!(named("nonsense", Some("/t")).unwrap_err().message.contains("unix:/PATH or HOST:PORT"));
    }
}
