//! placeholder
use super::connection::MySqlConnection;
use crate::{Catalog, CatalogOptions, Result};
pub(super) async fn read(_connection: &mut MySqlConnection, _options: &CatalogOptions) -> Result<Catalog> {
    Ok(Catalog::default())
}
