//! Options that the lists share, and the end of their output.

use anyhow::Result;
use operations::{Account, Cursor, DEFAULT_ACCOUNT, ListRequest, PAGE_ROWS_MAX, Page, gathered};
use serde::Serialize;
use service::output;

use crate::refusal::ended;

/// The part of a list to show.
#[derive(Debug, clap::Args)]
pub(crate) struct ListArgs {
    /// Rows to show (1 to 10000).
    #[arg(long, default_value_t = 20,
        value_parser = clap::value_parser!(i64).range(1..=PAGE_ROWS_MAX))]
    limit: i64,
    /// Continue after the cursor that the same list and filter printed.
    #[arg(long, value_name = "CURSOR")]
    after: Option<Cursor>,
}

/// The account of a command.
#[derive(Debug, clap::Args)]
pub(crate) struct AccountArgs {
    /// The account of the triggers and jobs.
    #[arg(long, global = true, value_name = "NAME", default_value = DEFAULT_ACCOUNT)]
    pub(crate) account: Account,
}

impl ListArgs {
    /// Reads as many rows as were asked for, or to the list's end.
    pub(crate) async fn gather<T>(
        self,
        list: impl AsyncFnMut(&ListRequest) -> operations::Result<Page<T>>,
    ) -> Result<Page<T>> {
        let request = ListRequest { limit: self.limit, after: self.after };
        gathered(&request, list).await.map_err(ended)
    }
}

/// Prints a page: as JSON with its cursor, else as a table with a line that names it.
pub(crate) fn show<T: Serialize, const N: usize>(
    page: &Page<T>,
    json: bool,
    headings: [&str; N],
    row: impl Fn(&T) -> [String; N],
    nothing: &str,
) -> Result<()> {
    if json {
        return output::json(page);
    }
    output::table(headings, page.items.iter().map(row).collect(), nothing);
    if let Some(next) = &page.next {
        output::line(format!("More: --after {next}"));
    }
    Ok(())
}
