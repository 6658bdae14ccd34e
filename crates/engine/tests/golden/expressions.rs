//! Conditions, functions, aggregates, casts, raw SQL.

use super::{Cases, Outcome, users};
use dbkeep_sql::*;

pub(super) fn add_to(cases: &mut Cases) {
    cases.add(
        "every comparison",
        users().filter(all([
            col("a").eq(1),
            col("name").ne("x"),
            col("rate").lt(2.5),
            col("d").le(3),
            col("e").gt(4),
            col("f").ge(col("g")),
            col("a").compare(Comparison::Ne, 2),
            col("h").eq(None::<i64>),
            col("i").ne(None::<i64>),
        ])),
    );
    cases.add(
        "NULL as a value",
        users().filter(all([
            col("a").is_distinct_from(1),
            col("b").is_not_distinct_from(None::<i64>),
            not(col("c").is_distinct_from(col("d"))),
            col("e").is_distinct_from(1).is_distinct_from(col("f").gt(1)),
        ])),
    );
    cases.add(
        "groups of AND, OR and NOT",
        users().filter(
            col("a")
                .eq(1)
                .or(col("b").eq(2))
                .and(not(col("c").eq(3).and(col("d").eq(4))))
                .or(col("e").eq(5).and(!col("f").is_null())),
        ),
    );
    cases.add(
        "lists, ranges and patterns",
        users().filter(all([
            col("role").in_list(["admin", "mentor"]),
            col("id").not_in([1, 2]),
            col("age").between(18, 65),
            col("age").not_between(30, 40),
            col("name").like("A%"),
            col("name").not_like("%z"),
            col("name").ilike("%DA%"),
            col("name").not_ilike("z%"),
            col("name").contains("50%_!"),
            col("name").starts_with("A\\"),
            col("name").ends_with("z"),
            col("deleted_at").is_null(),
            col("email").is_not_null(),
        ])),
    );
    cases.add(
        "rows as one value",
        users().filter(all([
            row([col("a"), col("b")]).gt(row([1, 2])),
            row([col("a"), col("b")]).in_list([row([1, 2]), row([3, 4])]),
            row([col("a"), col("b")]).not_in([row([5, 6])]),
            row([col("a"), col("b")]).in_query(select().columns(["k", "v"]).from("new")),
        ])),
    );
    cases.add(
        "empty lists are conditions",
        users().filter(
            col("id").in_list(Vec::<i64>::new()).or(col("id").not_in(Vec::<i64>::new())).and(all([])).and(any([])),
        ),
    );
    cases.add(
        "arithmetic keeps its order",
        select()
            .column(col("a") - (col("b") - val(3)) - 4)
            .column((col("a") + 2) * 3 / (col("b") % 5 + 6))
            .column(col("a").mul(2).div(3).rem(4).add(5).sub(6))
            .from("users"),
    );
    cases.add(
        "aggregates",
        select()
            .columns([
                count("id"),
                count_all(),
                count_distinct("role"),
                sum("fee"),
                avg("fee"),
                min("age"),
                max("age"),
                sum("fee").distinct(),
            ])
            .from("users"),
    );
    cases.add(
        "aggregates of some rows",
        select()
            .columns([
                count_all().filter_where(col("age").lt(18)),
                count("nick").filter_where(col("age").gt(18)).filter_where(col("a").eq(1)),
                count_distinct("role").filter_where(col("age").gt(18).or(col("a").eq(1))),
                sum("fee").filter_where(col("role").eq("admin")),
            ])
            .from("users"),
    );
    cases.add("an order within an aggregate", select().column(sum("fee").ordered_by("id")).from("users"));
    cases.add(
        "texts of rows",
        select()
            .column("role")
            .column(string_agg("name", "; ").ordered_by(col("age").desc()).ordered_by("name"))
            .column(string_agg("name", "'\\?").filter_where(col("age").gt(18)))
            .from("users")
            .group_by("role"),
    );
    cases.add(
        "different texts of rows",
        select().column(string_agg("role", ",").distinct().ordered_by("role")).from("users"),
    );
    cases.add(
        "different texts of rows, with a separator of one's own",
        select().column(string_agg("role", "; ").distinct()).from("users"),
    );
    cases.add(
        "functions",
        select()
            .columns([
                lower("name"),
                upper("name"),
                trim("name"),
                abs("balance"),
                coalesce([col("nick"), val("nobody")]),
                nullif("a", 0),
                char_length("name"),
                substring("name", 2, 3),
                replace("name", "a", "?"),
                round("fee", 1),
                random(),
                function("concat_ws", [val(", "), col("name"), col("role")]),
            ])
            .from("users"),
    );
    cases.with(
        "functions given too little",
        select().column(coalesce([])).column(case().end()).column(substring("name", 0, 1)).from("users"),
        Outcome::Refused,
    );
    cases.add(
        "texts put together",
        select()
            .column(col("first").concat(" ").concat(col("last")).alias("name"))
            .from("users")
            .filter(col("first").concat(col("last")).eq("AdaLovelace")),
    );
    cases.add(
        "a choice",
        select()
            .column(
                case()
                    .when(col("age").lt(18), "minor")
                    .when(col("age").is_null(), None::<i64>)
                    .otherwise("adult")
                    .alias("kind"),
            )
            .column(case().when(col("age").lt(18), col("fee")).end())
            .from("users"),
    );
    cases.add(
        "casts",
        select()
            .columns([
                col("note").cast(CastType::Integer),
                col("fee").cast(CastType::Double),
                col("fee").cast(CastType::Text),
                col("name").cast(CastType::Bytes),
                col("born").cast(CastType::Date),
                col("settings").cast(CastType::Json),
                val("12").cast(CastType::Integer),
            ])
            .from("users"),
    );
    let casts = [
        ("a cast to an unsigned integer", "age", CastType::Unsigned),
        ("a cast to a decimal", "age", CastType::Decimal(12, 3)),
        ("a cast to a time", "born", CastType::Time),
        ("a cast to a date and time", "birthday", CastType::DateTime),
    ];
    for (title, column, to) in casts {
        cases.add(title, select().column(col(column).cast(to)).from("users"));
    }
    cases.add("words looked for", users().filter(matches(["title", "body"], "first light").into()));
    cases.add(
        "words looked for, with operators",
        users().filter(matches(["title", "body"], "+light -dark").boolean().into()),
    );
    cases
        .add("words looked for in a language", users().filter(matches(["title"], "lights").language("english").into()));
    cases.add(
        "raw SQL with parameters",
        select()
            .column(raw("coalesce('a?', name)", []))
            .from("users")
            .filter(raw("lower(name) = lower(?)", params!["Ada"]).and(col("id").gt(7))),
    );
    cases.add(
        "raw SQL with expressions",
        users()
            .filter(sql!("lower(?) = lower(?)", col("name"), "Ada"))
            .filter(raw_with("? > ? * 2", [col("a") + col("b"), col("c") + 1]))
            .order_by(sql!("abs(id)")),
    );
    cases.with("a question mark in raw SQL", users().filter(raw("settings ?? 'a'", [])), Outcome::Refused);
    cases.with(
        "raw SQL that would swallow what follows",
        users().filter(all([
            raw("a) OR (b", []),
            raw("1 -- ", []),
            raw("'x", []),
            raw("1; DROP TABLE users", []),
            raw("a = ?", params![1, 2]),
        ])),
        Outcome::Refused,
    );
}
