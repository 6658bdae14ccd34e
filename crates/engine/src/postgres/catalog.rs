use super::connection::PostgresConnection;
use crate::{Catalog, CatalogOptions, Result};
pub(super) async fn read(_: &mut PostgresConnection, _: &CatalogOptions) -> Result<Catalog> {
    Ok(Catalog::default())
}
