//! What an HDFS is like.

use super::kdc::Lives;
use std::time::Duration;

/// Who may speak to the servers, and how it is protected on the wire (`hadoop.rpc.protection`, `dfs.data.transfer.protection`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// Anybody, under any name.
    Simple,
    /// Kerberos; nothing is protected after that.
    Authentication,
    /// Kerberos; every message has a checksum with a key.
    Integrity,
    /// Kerberos; everything is encrypted.
    Privacy,
}

impl Security {
    /// As Hadoop's configuration calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Simple => "simple",
            Self::Authentication => "authentication",
            Self::Integrity => "integrity",
            Self::Privacy => "privacy",
        }
    }
}

/// What to start; [`Form::new`] has the usual.
#[derive(Debug, Clone)]
pub struct Form {
    /// Who may speak to it.
    pub security: Security,
    /// Whether blocks are encrypted with AES/CTR instead of what SASL brings, which is far slower.
    pub aes: bool,
    /// Two NameNodes under the nameservice `bed`, of which the first begins as the active one.
    pub high_availability: bool,
    /// How many DataNodes.
    pub data_nodes: usize,
    /// Names for their hosts, one each, by which block locations call them; none: all are `localhost`. The names resolve
    /// nowhere: with them, WebHDFS redirects into the void.
    pub hosts: Vec<String>,
    /// Copies of a block.
    pub replication: usize,
    /// Bytes of a block, a multiple of 512.
    pub block_size: u64,
    /// How long a delegation token is good before it must be renewed.
    pub token_renew_interval: Duration,
    /// How long it is good at most.
    pub token_life_max: Duration,
    /// How long tickets are good.
    pub lives: Lives,
}

impl Form {
    /// One NameNode and three DataNodes, two copies of a block, and Hadoop's own sizes and times.
    pub fn new(security: Security) -> Self {
        const DAY: Duration = Duration::from_hours(24);
        Self {
            security,
            aes: false,
            high_availability: false,
            data_nodes: 3,
            hosts: Vec::new(),
            replication: 2,
            block_size: 128 << 20,
            token_renew_interval: DAY,
            token_life_max: 7 * DAY,
            lives: Lives { ticket: DAY, renewable: 7 * DAY },
        }
    }

    /// For the program that starts it.
    pub(super) fn arguments(&self) -> Vec<String> {
        vec![
            format!("security={}", self.security.name()),
            format!("cipher={}", if self.aes { "AES/CTR/NoPadding" } else { "none" }),
            format!("form={}", if self.high_availability { "ha" } else { "one" }),
            format!("datanodes={}", self.data_nodes),
            format!("hosts={}", self.hosts.join(",")),
            format!("replication={}", self.replication),
            format!("block-size={}", self.block_size),
            format!("renew-interval-ms={}", self.token_renew_interval.as_millis()),
            format!("max-lifetime-ms={}", self.token_life_max.as_millis()),
        ]
    }
}
