//! Functions over windows.

use super::{Cases, Outcome};
use dbkeep_sql::*;

pub(super) fn add_to(cases: &mut Cases) {
    let over = |function: Expr| {
        select().column(function.over(window().partition_by("role").order_by("age").order_by("id"))).from("users")
    };
    cases.add("the number of a row", over(row_number()));
    cases.add("the rank of a row", over(rank()));
    cases.add("the rank of a row without gaps", over(dense_rank()));
    cases.add("the rank of a row from 0 to 1", over(percent_rank()));
    cases.add("the share of rows before a row", over(cume_dist()));
    cases.add("four parts of equal size", over(ntile(4)));
    cases.add("the row before", over(lag("age", 1, None::<i64>)));
    cases.add("the row before, or a default", over(lag("age", 1, 0)));
    cases.add("two rows further", over(lead("name", 2, None::<i64>)));
    cases.add("two rows further, or a default", over(lead("name", 2, "nobody")));
    cases.add("the first of a window", over(first_value("name")));
    cases.add("the last of a window", over(last_value("name")));
    cases.add("the second of a window", over(nth_value("name", 2)));
    let framed = |window: Window| select().column(sum("fee").over(window)).from("users");
    let ordered = || window().order_by("id");
    cases.add("a sum so far", framed(ordered().rows(Bound::UnboundedPreceding, Bound::CurrentRow)));
    cases.add("a sum of three rows", framed(ordered().rows(Bound::Preceding(1), Bound::Following(1))));
    cases.add("a sum of what follows", framed(ordered().range(Bound::CurrentRow, Bound::UnboundedFollowing)));
    cases.add("a sum of near values", framed(window().order_by("age").range(Bound::Preceding(2), Bound::Following(2))));
    cases.add("a sum of groups", framed(window().order_by("age").groups(Bound::Preceding(1), Bound::CurrentRow)));
    cases.add("a sum over all rows", framed(window()));
    cases.add(
        "a window whose NULL comes last",
        over(row_number()).column(rank().over(window().order_by(col("age").asc().nulls_last()))),
    );
    cases.add(
        "a sum of some rows of a window",
        select().column(sum("fee").filter_where(col("age").gt(18)).over(ordered())).from("users"),
    );
    cases.add(
        "a window with a name",
        select()
            .column(rank().over("w"))
            .column(max("fee").over(Name::from("w")))
            .from("users")
            .window("w", window().partition_by("role").order_by("age")),
    );
    cases.add("texts of a window", select().column(string_agg("name", ",").over(ordered())).from("users"));
    cases.with(
        "different values of a window",
        select()
            .column(count_distinct("name").over(window()))
            .column(sum("fee").ordered_by("id").over(window()))
            .from("users"),
        Outcome::Refused,
    );
    cases.with(
        "a window that ends before it begins",
        framed(ordered().rows(Bound::CurrentRow, Bound::Preceding(1))),
        Outcome::Refused,
    );
    cases.with("a function of a window without one", select().column(rank()).from("users"), Outcome::Refused);
    cases.with(
        "a window of no aggregate",
        select().column(lower("name").over(window())).column(lower("name").filter_where(all([]))).from("users"),
        Outcome::Refused,
    );
}
