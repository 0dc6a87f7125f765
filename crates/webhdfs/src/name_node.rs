//! NameNodes of one file system, by whichever way.

use crate::error::Error;
use crate::web_hdfs::{Web, WebHdfs};
use std::time::SystemTime;
use tfcoord_hadoop_rpc::{self as rpc, Blocks, Config, Token};

/// NameNodes of one file system, and how they are called.
#[derive(Debug)]
pub enum NameNode {
    /// By Hadoop's RPC.
    Rpc(Box<rpc::NameNode>),
    /// By WebHDFS.
    WebHdfs(Box<WebHdfs>),
}

impl NameNode {
    /// By WebHDFS where `web` says where that is, else by RPC.
    ///
    /// # Errors
    /// By RPC: none can be reached, or lets us in. By WebHDFS, which connects with each call: the site demands more protection
    /// than `http://` has.
    pub async fn connect(config: Config, web: Option<Web>) -> Result<Self, Error> {
        Ok(match web {
            None => Self::Rpc(Box::new(rpc::NameNode::connect(config).await?)),
            Some(web) => Self::WebHdfs(Box::new(WebHdfs::new(config, web)?)),
        })
    }

    /// Where the bytes from `offset` on are, `length` of them.
    ///
    /// # Errors
    /// There is no such file, or its blocks may not be seen.
    pub async fn block_locations(&self, path: &str, offset: u64, length: u64) -> Result<Blocks, Error> {
        match self {
            Self::Rpc(name_node) => Ok(name_node.block_locations(path, offset, length).await?),
            Self::WebHdfs(web) => web.block_locations(path, offset, length).await,
        }
    }

    /// A new token for the one who asks, or the proxied user, that `renewer` may renew. It is marked for these NameNodes'
    /// RPC, by their nameservice or the address of the only one.
    ///
    /// # Errors
    /// The NameNode is not secured, or does not give tokens to those who come with a token.
    pub async fn delegation_token(&self, renewer: &str) -> Result<Token, Error> {
        match self {
            Self::Rpc(name_node) => Ok(name_node.delegation_token(renewer).await?),
            Self::WebHdfs(web) => web.delegation_token(renewer).await,
        }
    }

    /// Prolongs a token, up to its maximum; until when it is good now. Who asks must be its renewer.
    ///
    /// # Errors
    /// The token is over or was cancelled, or somebody else renews it.
    pub async fn renew(&self, token: &Token) -> Result<SystemTime, Error> {
        match self {
            Self::Rpc(name_node) => Ok(name_node.renew(token).await?),
            Self::WebHdfs(web) => web.renew(token).await,
        }
    }

    /// Makes a token worthless. Who asks must be its owner or renewer.
    ///
    /// # Errors
    /// It is not there any more, or is somebody else's. Where the connection broke: whether it was cancelled is not known.
    pub async fn cancel(&self, token: &Token) -> Result<(), Error> {
        match self {
            Self::Rpc(name_node) => Ok(name_node.cancel(token).await?),
            Self::WebHdfs(web) => web.cancel(token).await,
        }
    }

    /// By which text clients of RPC find the token for these NameNodes.
    ///
    /// # Errors
    /// The only NameNode's name is unknown.
    pub async fn token_service(&self) -> Result<String, Error> {
        match self {
            Self::Rpc(name_node) => Ok(name_node.token_service().await?),
            Self::WebHdfs(web) => web.token_service().await,
        }
    }
}
