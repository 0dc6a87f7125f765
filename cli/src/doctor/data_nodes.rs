//! Whether DataNodes protect blocks as the site demands: nobody else looks, as the client of HDFS takes whatever they offer.

use super::finding::Report;
use super::hdfs::Asker;
use std::collections::BTreeSet;
use tfcoord_fs::hdfs::{Site, data_offer};
use tfcoord_fs::storage::{Location, Problem};
use tfcoord_hadoop_rpc::{NameNode, Protection};

const CHECK: &str = "datanode";
const KEY: &str = "dfs.data.transfer.protection";
/// On a lower port Hadoop trusts a DataNode, since root alone can listen there, and protects nothing.
const PORT_MIN: u16 = 1024;

/// Asks those that hold the file `at`. Says nothing of a site that demands nothing.
pub fn examine(report: &mut Report<'_>, site: &Site, at: &Location, asker: &Asker<'_>) {
    let Ok(Some(demanded)) = site.data_protection() else { return };
    let found = match of_file(site, at, asker) {
        Ok(found) if !found.is_empty() => found,
        Ok(_) => return report.skip(CHECK, format!("no DataNode is named for {at}")),
        Err(why) => return report.skip(CHECK, why),
    };
    let asked: Vec<(String, Result<Option<Protection>, Problem>)> =
        found.into_iter().map(|address| (address.clone(), data_offer(&address))).collect();
    let told = asked.iter().map(|(address, offered)| match offered {
        Ok(Some(offered)) => format!("{address} offers {offered}"),
        Ok(None) if is_trusted(address) => format!("{address} protects nothing, and is trusted for its port"),
        Ok(None) => format!("{address} protects nothing"),
        Err(problem) => format!("{address}: {problem}"),
    });
    let text = format!("{}; this configuration demands {demanded} ({KEY})", told.collect::<Vec<_>>().join(", "));
    let is_weaker = |(address, offered): &(String, Result<Option<Protection>, Problem>)| match offered {
        Ok(Some(offered)) => *offered < demanded,
        Ok(None) => !is_trusted(address),
        Err(_) => false,
    };
    match asked.iter().any(is_weaker) {
        true => report.fail(CHECK, text, format!("set {KEY} in the DataNodes' hdfs-site.xml as it is here, and restart them")),
        false => report.ok(CHECK, text),
    }
}

fn is_trusted(address: &str) -> bool {
    address.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok()).is_some_and(|port| port < PORT_MIN)
}

// Which DataNodes hold its blocks; why they are not known.
fn of_file(site: &Site, at: &Location, asker: &Asker<'_>) -> Result<BTreeSet<String>, String> {
    let nodes = site.name_nodes(at).map_err(|problem| problem.to_string())?;
    let ([nodes], Location::Remote(remote)) = (nodes.as_slice(), at) else {
        return Err("several file systems are mounted there".to_owned());
    };
    let config = asker.config(nodes, nodes.addresses.clone()).ok_or("there is neither ticket nor token")?;
    let asked = asker.runtime.block_on(async { NameNode::connect(config).await?.block_locations(remote.path(), 0, 1).await });
    let blocks = asked.map_err(|error| error.to_string())?.blocks;
    Ok(blocks.into_iter().flat_map(|block| block.data_nodes).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn low_ports_are_trusted() {
        assert_eq!(["10.0.0.1:1004", "10.0.0.1:9866", "nothing"].map(is_trusted), [true, false, false]);
    }
}
