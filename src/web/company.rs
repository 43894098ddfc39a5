//! Which company a request means.

use super::auth::{Caller, Needs};
use crate::accounts::Companies;
use crate::base::id::CompanyId;
use crate::base::{Error, Result};

/// The company a caller chose by slug or id, or its own. `None` when it chose none and belongs to none.
///
/// # Errors
/// `Invalid` when no company has this name; `Forbidden` when the caller belongs to another. To a caller that belongs to
/// one, a company that is not there and one that is another's look the same.
pub async fn chosen<N: Needs>(
    caller: &Caller<N>,
    name: Option<&str>,
    companies: &Companies,
) -> Result<Option<CompanyId>> {
    let own = caller.actor().company();
    let Some(name) = name else { return Ok(own) };
    let found = match companies.get(name).await {
        Err(Error::NotFound(_)) => None,
        found => Some(found?.id),
    };
    match own {
        Some(_) if own == found => Ok(own),
        Some(_) => Err(Error::Forbidden("This credential belongs to another company".into())),
        None => found.map(Some).ok_or_else(|| {
            Error::invalid_field("company", "unknown_company", "company must be the slug or id of a company")
        }),
    }
}
