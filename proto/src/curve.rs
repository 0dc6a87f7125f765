//! The curve.

use crate::{Malformed, needed, v1};
use tfcoord_types::figures::CurvePoint;
use tfcoord_types::report::CurveReport;

impl From<CurvePoint> for v1::CurvePoint {
    fn from(CurvePoint { step, loss_sum, records, correct }: CurvePoint) -> Self {
        Self { step, loss_sum, records, correct }
    }
}

impl From<v1::CurvePoint> for CurvePoint {
    fn from(v1::CurvePoint { step, loss_sum, records, correct }: v1::CurvePoint) -> Self {
        Self { step, loss_sum, records, correct }
    }
}

impl From<CurveReport> for v1::CurveReport {
    fn from(CurveReport { last, epoch }: CurveReport) -> Self {
        Self { last: Some(last.into()), epoch: Some(epoch.into()) }
    }
}

impl TryFrom<v1::CurveReport> for CurveReport {
    type Error = Malformed;

    fn try_from(message: v1::CurveReport) -> Result<Self, Malformed> {
        Ok(Self { last: needed(message.last, "CurveReport.last")?.into(), epoch: needed(message.epoch, "CurveReport.epoch")?.into() })
    }
}
