//! Dates and times.

use super::Cases;
use dbkeep_sql::*;

pub(super) fn add_to(cases: &mut Cases) {
    let ask = |expr: Expr| select().column(expr).from("users");
    cases.add("now and today", select().column(current_timestamp().alias("now")).column(current_date().alias("today")));
    let units = [
        ("years later", DateUnit::Year),
        ("months later", DateUnit::Month),
        ("weeks later", DateUnit::Week),
        ("days later", DateUnit::Day),
        ("hours later", DateUnit::Hour),
        ("minutes later", DateUnit::Minute),
        ("seconds later", DateUnit::Second),
    ];
    for (title, unit) in units {
        cases.add(title, ask(date_add("born", 3, unit)));
    }
    cases.add("months earlier", ask(date_sub("birthday", col("a"), DateUnit::Month)));
    cases.add("from a value", ask(date_add(val("2024-01-31"), 1, DateUnit::Month)));
    let parts = [
        ("the year", DatePart::Year),
        ("the month", DatePart::Month),
        ("the day", DatePart::Day),
        ("the day of the week", DatePart::Weekday),
        ("the hour", DatePart::Hour),
        ("the minute", DatePart::Minute),
        ("the second", DatePart::Second),
    ];
    for (title, part) in parts {
        cases.add(title, ask(date_part(part, "born")));
    }
    cases.add("the date", ask(date_of("born")));
    cases.add("seconds between two times", ask(seconds_between("born", "seen")));
    cases.add(
        "what is older than a week",
        select().from("users").filter(col("born").lt(date_sub(current_timestamp(), 1, DateUnit::Week))),
    );
}
