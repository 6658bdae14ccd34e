//! Dates and times: reckoned with, taken apart.

use super::answers::*;
use dbkeep_engine::Connection;
use dbkeep_sql::*;

crate::on_each_engine! {
    times_are_reckoned_alike
}

async fn times_are_reckoned_alike(connection: &mut Connection) {
    let c = connection;
    let mut answers = Answers::default();
    let time = |text: &str| -> DateTime { text.parse().unwrap() };
    let date = |text: &str| -> Date { text.parse().unwrap() };
    let ask = |expr: Expr| select().column(expr).from("users").filter(col("id").eq(1));
    use DateUnit::*;
    let later = [
        ("2024-01-31 00:00:00", 1, Month, "2024-02-29 00:00:00"),
        ("2023-01-31 12:30:00.5", 1, Month, "2023-02-28 12:30:00.5"),
        ("2024-02-29 00:00:00", 1, Year, "2025-02-28 00:00:00"),
        ("2024-02-29 00:00:00", 4, Year, "2028-02-29 00:00:00"),
        ("2024-03-31 00:00:00", -1, Month, "2024-02-29 00:00:00"),
        ("2024-10-31 01:02:03", 13, Month, "2025-11-30 01:02:03"),
        ("2024-01-15 00:00:00", -13, Month, "2022-12-15 00:00:00"),
        ("2024-12-31 23:59:59.999999", 1, Second, "2025-01-01 00:00:00.999999"),
        ("2024-01-01 00:00:00.000001", -1, Second, "2023-12-31 23:59:59.000001"),
        ("2024-02-28 23:00:00", 25, Hour, "2024-03-01 00:00:00"),
        ("2024-03-01 00:00:00", -1, Minute, "2024-02-29 23:59:00"),
        ("2024-02-26 00:00:00", -1, Week, "2024-02-19 00:00:00"),
        ("2024-02-26 08:00:00", 2, Week, "2024-03-11 08:00:00"),
        ("2024-02-28 08:00:00", 2, Day, "2024-03-01 08:00:00"),
        ("2024-02-28 08:00:00", 0, Day, "2024-02-28 08:00:00"),
        ("1999-12-31 23:59:59", 3_000_000_000_i64, Second, "2095-01-24 05:19:59"),
    ];
    for (from, amount, unit, expected) in later {
        let set = update("users")
            .set("born", time(from))
            .set("g", i64::from(amount as i32))
            .filter(col("id").eq(1))
            .compile(&*c.dialect())
            .unwrap();
        c.execute(&set.sql, &set.params).await.unwrap();
        let fits = i64::from(amount as i32) == amount;
        let as_column = if fits { col("g") } else { val(amount) };
        for expr in [
            date_add("born", amount, unit),
            date_add("born", as_column.clone(), unit),
            date_sub("born", -amount, unit),
            date_sub("born", if fits { val(0) - as_column } else { val(-amount) }, unit),
            date_add(val(time(from)), amount, unit),
            date_add(val(from), amount, unit),
        ] {
            answers.ask(c, &ask(expr), &[expected], shortest).await;
        }
    }
    for (expr, expected) in [
        (date_add(val(date("2024-01-31")), 1, Month), "2024-02-29 00:00:00"),
        (date_add(val("2024-01-31"), 1, Hour), "2024-01-31 01:00:00"),
        (date_add("birthday", 1, Day), "1815-12-11 00:00:00"),
        (date_add("birthday", None::<i64>, Day), "NULL"),
        (date_add("deleted_at", 1, Day), "NULL"),
        (date_add(date_add("birthday", 1, Day), 1, Month), "1816-01-11 00:00:00"),
        (date_part(DatePart::Hour, "birthday"), "0"),
        (date_part(DatePart::Weekday, "birthday"), "7"),
        (date_part(DatePart::Year, "deleted_at"), "NULL"),
        (date_part(DatePart::Day, date_add("birthday", 1, Day)), "11"),
        (date_of("deleted_at"), "NULL"),
        (seconds_between("deleted_at", "birthday"), "NULL"),
        (seconds_between(val(date("2024-02-28")), val(date("2024-03-01"))), "172800"),
        (seconds_between(val("2024-02-28"), val("2024-02-28 00:00:01")), "1"),
    ] {
        answers.ask(c, &ask(expr), &[expected], shortest).await;
    }
    let parts = [
        ("2024-12-31 23:59:59.999999", ["2024", "12", "31", "2", "23", "59", "59"]),
        ("2024-12-29 00:00:00", ["2024", "12", "29", "7", "0", "0", "0"]),
        ("2024-12-30 12:05:09.5", ["2024", "12", "30", "1", "12", "5", "9"]),
        ("1815-12-10 01:02:03.000001", ["1815", "12", "10", "7", "1", "2", "3"]),
    ];
    for (of, expected) in parts {
        use DatePart::*;
        let set = update("users").set("born", time(of)).filter(col("id").eq(1)).compile(&*c.dialect()).unwrap();
        c.execute(&set.sql, &set.params).await.unwrap();
        for (part, expected) in [Year, Month, Day, Weekday, Hour, Minute, Second].into_iter().zip(expected) {
            for expr in [date_part(part, "born"), date_part(part, val(time(of))), date_part(part, val(of))] {
                answers.ask(c, &ask(expr), &[expected], as_it_is).await;
            }
        }
        for expr in [date_of("born"), date_of(val(time(of))), date_of(val(of))] {
            answers.ask(c, &ask(expr), &[&of[..10]], as_it_is).await;
        }
    }
    let between = [
        ("2024-01-01 00:00:00.9", "2024-01-01 00:00:02.1", "1"),
        ("2024-01-01 00:00:02.1", "2024-01-01 00:00:00.9", "-1"),
        ("2024-01-01 00:00:01.5", "2024-01-01 00:00:01", "0"),
        ("2024-01-01 00:00:00.999999", "2024-01-01 00:00:01.999999", "1"),
        ("2024-01-01 00:00:01.000001", "2024-01-01 00:00:00", "-1"),
        ("2024-02-28 12:00:00", "2024-03-01 12:00:00", "172800"),
        ("1815-12-10 00:00:00", "2024-12-10 00:00:00", "6595516800"),
    ];
    for (from, to, expected) in between {
        let set = update("users")
            .set("born", time(from))
            .set("seen", time(to))
            .filter(col("id").eq(1))
            .compile(&*c.dialect())
            .unwrap();
        c.execute(&set.sql, &set.params).await.unwrap();
        for expr in [
            seconds_between("born", "seen"),
            seconds_between(val(time(from)), val(time(to))),
            seconds_between(val(from), "seen"),
        ] {
            answers.ask(c, &ask(expr), &[expected], as_it_is).await;
        }
    }
    answers.end(c);
}
