//! WebHDFS, where NameNodes are to be called by that.

use super::finding::Report;
use super::hdfs::{Asker, states};
use tfcoord_fs::hdfs::{NameNodes, Site};
use tfcoord_webhdfs::{Web, WebHdfs};

/// Its name among the findings.
pub const CHECK: &str = "webhdfs";

/// Asks each NameNode's web pages who is active; where they are, if one is.
pub fn examine(report: &mut Report<'_>, nodes: &NameNodes, site: &Site, asker: &Asker<'_>) -> Option<Web> {
    let found = match site.web(nodes) {
        Ok(found) => found,
        Err(problem) => {
            report.fail(CHECK, problem.to_string(), problem.remedy());
            return None;
        }
    };
    let service = match found.principal.parse() {
        Ok(service) => service,
        Err(error) => {
            report.error(CHECK, &error);
            return None;
        }
    };
    if asker.config(nodes, Vec::new()).is_none() {
        report.skip(CHECK, format!("{} would ask who comes: there is neither ticket nor token", found.addresses.join(", ")));
        return None;
    }
    let web = Web { addresses: found.addresses, service };
    let serves = |address: &String| {
        let config = asker.config(nodes, nodes.addresses.clone())?;
        let one = Web { addresses: vec![address.clone()], service: web.service.clone() };
        let asked = WebHdfs::new(config, one).and_then(|one| asker.runtime.block_on(one.serves()));
        Some((address.clone(), asked.map_err(|error| error.to_string())))
    };
    states(report, CHECK, web.addresses.iter().filter_map(serves)).then_some(web)
}
