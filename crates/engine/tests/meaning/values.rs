//! Values compared, rows summed up.

use super::answers::*;
use dbkeep_engine::Connection;
use dbkeep_sql::*;

crate::on_each_engine! {
    values_are_compared_alike
    values_that_stand_alone_keep_their_type
    rows_are_summed_up_alike
}

async fn values_are_compared_alike(connection: &mut Connection) {
    let c = connection;
    let mut answers = Answers::default();
    // Of Ada, Grace and Lin: nick is 'ada', NULL, NULL; a is 1, 3, NULL; b is 2, 4, NULL; c is 3, NULL, NULL.
    let holds: Vec<(Expr, &[&str])> = vec![
        (col("a").is_distinct_from(1), &["2", "3"]),
        (col("a").is_not_distinct_from(1), &["1"]),
        (col("a").is_distinct_from(None::<i64>), &["1", "2"]),
        (col("a").is_not_distinct_from(None::<i64>), &["3"]),
        (col("b").is_not_distinct_from(col("c")), &["3"]),
        (not(col("b").is_distinct_from(col("c"))), &["3"]),
        (col("a").eq(1).is_distinct_from(col("b").eq(4)), &["1", "2"]),
        (row([col("a"), col("b")]).is_not_distinct_from(row([val(1), val(2)])), &["1"]),
        (row([col("a"), col("b")]).eq(row([1, 2])), &["1"]),
        (row([col("a"), col("b")]).gt(row([1, 2])), &["2"]),
        (row([col("a"), col("b")]).ge(row([1, 2])), &["1", "2"]),
        (row([col("a"), col("b")]).lt(row([1, 3])), &["1"]),
        (row([col("a"), col("b")]).in_list([row([1, 2]), row([3, 5])]), &["1"]),
        (row([col("a"), col("b")]).not_in([row([1, 2]), row([3, 5])]), &["2"]),
        (row([col("a"), col("b")]).in_list(Vec::<Expr>::new()), &[]),
        (row([col("id"), col("a")]).in_query(select().columns(["id", "a"]).from("users").limit(2)), &["1", "2"]),
        (col("name").ilike("aDA"), &["1"]),
        (col("name").ilike("%A%"), &["1", "2"]),
        (col("name").ilike("_RACE"), &["2"]),
        (col("name").not_ilike("%A%"), &["3"]),
        (col("nick").not_ilike("x"), &["1"]),
        (col("name").contains("a"), &["1", "2"]),
        (col("name").starts_with("Gr"), &["2"]),
        (col("name").ends_with("in"), &["3"]),
        (val("50%_!\\").contains("%_!\\"), &["1", "2", "3"]),
        (val("50").contains("%"), &[]),
        (val("a\\b").ends_with("\\b"), &["1", "2", "3"]),
        (col("a").between(1, 2), &["1"]),
        (col("a").not_between(1, 2), &["2"]),
        (col("id").not_in_query(select().column("user_id").from("orders")), &["3"]),
        (col("a").not_in([1]), &["2"]),
        (col("a").eq(None::<i64>), &["3"]),
        (nullif("a", 1).is_null(), &["1", "3"]),
        (coalesce([col("a"), val(9)]).gt(2), &["2", "3"]),
        (char_length(val("é😀x")).eq(3), &["1", "2", "3"]),
        (substring(val("é😀xyz"), 2, 2).eq("😀x"), &["1", "2", "3"]),
        (replace("name", "a", "??").eq("Ad??"), &["1"]),
        (trim(val("  x ")).eq("x"), &["1", "2", "3"]),
        (upper("name").eq("ADA"), &["1"]),
        (lower("name").concat("!").concat(col("nick")).eq("ada!ada"), &["1"]),
        (col("nick").concat("x").is_null(), &["2", "3"]),
        (abs("balance").cast(CastType::Double).lt(2.5), &["1"]),
        (round("balance", 1).cast(CastType::Double).lt(-2.26), &["1"]),
        (val("12").cast(CastType::Integer).eq(col("id") + 11), &["1"]),
        (col("note").cast(CastType::Integer).gt(10), &["1"]),
        (col("id").cast(CastType::Text).eq("2"), &["2"]),
        (col("birthday").cast(CastType::Text).starts_with("1815-12-10"), &["1"]),
        (col("a").cast(CastType::Double).lt(1.5), &["1"]),
        (val("{\"a\": 1}").cast(CastType::Json).json_text("a").eq("1"), &["1", "2", "3"]),
        (val("ab").cast(CastType::Bytes).eq(Value::Bytes(b"ab".to_vec())), &["1", "2", "3"]),
        (raw_with("? + ?", [col("a") * 2, col("b") - 1]).eq(3), &["1"]),
        (sql!("coalesce(?, ?)", col("a"), 7).eq(7), &["3"]),
        (all([]), &["1", "2", "3"]),
        (any([]), &[]),
        (not(all([])), &[]),
        (case().when(col("a").gt(2), "big").when(col("a").is_null(), "none").otherwise("small").eq("none"), &["3"]),
        ((col("a") - (col("b") - col("c"))).eq(2), &["1"]),
        (((col("a") + 1) * 2 % 3).eq(1), &["1"]),
        (exists(select().from("orders").filter(col("orders.user_id").eq(col("users.id")))), &["1", "2"]),
    ];
    for (condition, expected) in holds {
        answers
            .ask(c, &select().column("id").from("users").filter(condition.clone()).order_by("id"), expected, as_it_is)
            .await;
        // As a value among the columns it is the same.
        let count = expected.len().to_string();
        let counted = select().column(count_all().filter_where(condition)).from("users");
        answers.ask(c, &counted, &[&count], as_it_is).await;
    }
    let groups: Vec<(Select, &[&str])> = vec![
        (
            select()
                .column("id")
                .from("users")
                .filter(col("a").eq(9))
                .filter(col("b").eq(9))
                .or_filter(col("id").le(2))
                .filter(col("id").ge(2)),
            &["2"],
        ),
        (
            select().column("id").from("users").filter(col("id").eq(1).or(col("id").eq(2))).filter(col("id").ge(2)),
            &["2"],
        ),
        (select().column("id").from("users").or_filter(col("id").eq(1)).or_filter(col("id").eq(3)), &["1", "3"]),
        (select().column("id").from("users").filter(all([])).or_filter(col("id").eq(1)), &["1", "2", "3"]),
        (select().column("id").from("users").filter(any([])).or_filter(col("id").eq(1)), &["1"]),
    ];
    for (query, expected) in groups {
        answers.ask(c, &query.order_by("id"), expected, as_it_is).await;
    }
    answers.end(c);
}

async fn values_that_stand_alone_keep_their_type(connection: &mut Connection) {
    let c = connection;
    let mut answers = Answers::default();
    let queries: Vec<(Select, &[&str])> = vec![
        (select().column(val(7) * 3), &["21"]),
        (select().column(val(1.5) + 1), &["2.5"]),
        (select().column(val(7).gt(10)), &["0"]),
        (select().column(val(7).in_list([7, 10])), &["1"]),
        (select().column(val(10).between(9, 100)), &["1"]),
        (select().column(coalesce([val(9), val(10)]) + 1), &["10"]),
        (select().column(case().when(val(9).lt(10), 9).otherwise(10) + 1), &["10"]),
        (select().column(val("9").gt("10")), &["1"]),
        (select().column(val("9").between("10", "99")), &["1"]),
        (select().column(val("9").in_list(["09", "9"])), &["1"]),
        (select().column(val("9").in_list(["09", "9.0"])), &["0"]),
        (select().column(max(val(9))).from("users"), &["9"]),
        (select().column(col("n") + 1).from(select().column(val(9).alias("n")).alias("numbers")), &["10"]),
        (
            select().column("n").from("numbers").order_by("n").with(
                cte(
                    "numbers",
                    select()
                        .column(val(9))
                        .union_all(select().column(col("n") + 1).from("numbers").filter(col("n").lt(11))),
                )
                .columns(["n"])
                .recursive(),
            ),
            &["9", "10", "11"],
        ),
        (select().column(val(9).alias("n")).union(select().column(val(10))).order_by("n"), &["9", "10"]),
    ];
    for (query, expected) in queries {
        answers.ask(c, &query, expected, as_it_is).await;
    }
    answers.end(c);
    if c.dialect().engine() != "SQLite" {
        let given = [
            Value::Decimal("-12.50".parse().unwrap()),
            Value::Decimal("7".parse().unwrap()),
            Value::Bytes(vec![0, 0xff, b'a']),
            Value::Date(Date::new(2026, 2, 28)),
            Value::DateTime(DateTime::new(Date::new(2026, 2, 28), 12, 30, 1, 250_000)),
            Value::Text("x".into()),
            Value::UInt(u64::MAX),
        ];
        let compiled = select().columns(given.iter().cloned().map(val)).compile(&*c.dialect()).unwrap();
        let rows = c.query(&compiled.sql, &compiled.params).await.unwrap();
        let read: Vec<String> = rows[0].values().iter().map(|value| format!("{value:?}").to_lowercase()).collect();
        let given: Vec<String> = given.iter().map(|value| format!("{value:?}").to_lowercase()).collect();
        let same = |(read, given): (&String, &String)| {
            read == given || given.contains("uint") && read.contains(&u64::MAX.to_string())
        };
        assert!(read.iter().zip(&given).all(same), "{read:?}");
    }
    // Read as they were given, not as text.
    let compiled = select().column(val(7)).column(val(1.5)).column(val(true)).compile(&*c.dialect()).unwrap();
    let rows = c.query(&compiled.sql, &compiled.params).await.unwrap();
    assert!(
        matches!(
            rows[0].values(),
            [Value::Int(7), Value::Double(_) | Value::Decimal(_), Value::Int(1) | Value::Bool(true)]
        ),
        "{rows:?}"
    );
}

async fn rows_are_summed_up_alike(connection: &mut Connection) {
    let c = connection;
    let mut answers = Answers::default();
    let one = |expr: Expr| select().column(expr).from("users");
    let sums: Vec<(Expr, &str)> = vec![
        (count_all(), "3"),
        (count("a"), "2"),
        (count_distinct("role"), "2"),
        (sum("a"), "4"),
        (sum("a").filter_where(col("id").gt(5)), "NULL"),
        (count_all().filter_where(col("id").gt(5)), "0"),
        (count_all().filter_where(col("a").gt(1)), "1"),
        (count("nick").filter_where(col("id").le(2)), "1"),
        (count_distinct("role").filter_where(col("id").le(2)), "1"),
        (sum("a").filter_where(col("id").ge(2)).filter_where(col("id").le(2)), "3"),
        (max("a").filter_where(col("a").is_distinct_from(3)), "1"),
        (min("name").filter_where(col("id").ne(1)), "Grace"),
        (avg("b").cast(CastType::Integer), "3"),
        (string_agg("name", "; ").ordered_by("name"), "Ada; Grace; Lin"),
        (string_agg("name", "; ").ordered_by(col("id").desc()), "Lin; Grace; Ada"),
        (string_agg("name", "'\\\"?$1:x").ordered_by("id"), "Ada'\\\"?$1:xGrace'\\\"?$1:xLin"),
        (string_agg("name", "").ordered_by("id"), "AdaGraceLin"),
        (string_agg("name", ",").ordered_by(col("a").asc().nulls_first()), "Lin,Ada,Grace"),
        (string_agg("name", ",").ordered_by(col("a").desc().nulls_first()), "Lin,Grace,Ada"),
        (string_agg("name", ",").ordered_by(col("a").asc().nulls_last()), "Ada,Grace,Lin"),
        (string_agg("role", ",").distinct().ordered_by("role"), "admin,mentor"),
        (string_agg("role", ";").distinct().ordered_by("role"), "admin;mentor"),
        (string_agg("nick", ","), "ada"),
        (string_agg("name", ",").filter_where(col("id").le(2)).ordered_by("id"), "Ada,Grace"),
        (string_agg("name", ",").filter_where(col("id").gt(5)), "NULL"),
    ];
    for (expr, expected) in sums {
        answers.ask(c, &one(expr), &[expected], shortest).await;
    }
    let over: Vec<(Expr, &[&str])> = vec![
        (row_number().over(window().order_by(col("id").desc())), &["3", "2", "1"]),
        (rank().over(window().order_by("role")), &["1", "1", "3"]),
        (dense_rank().over(window().order_by("role")), &["1", "1", "2"]),
        (row_number().over(window().partition_by("role").order_by("id")), &["1", "2", "1"]),
        (ntile(2).over(window().order_by("id")), &["1", "1", "2"]),
        (lag("name", 1, None::<i64>).over(window().order_by("id")), &["NULL", "Ada", "Grace"]),
        (lag("name", 1, "none").over(window().order_by("id")), &["none", "Ada", "Grace"]),
        (lead("id", 2, None::<i64>).over(window().order_by("id")), &["3", "NULL", "NULL"]),
        (lead("id", 2, 0).over(window().order_by("id")), &["3", "0", "0"]),
        (first_value("name").over(window().order_by("id")), &["Ada", "Ada", "Ada"]),
        (last_value("name").over(window().order_by("id")), &["Ada", "Grace", "Lin"]),
        (
            last_value("name").over(window().order_by("id").rows(Bound::CurrentRow, Bound::UnboundedFollowing)),
            &["Lin", "Lin", "Lin"],
        ),
        (nth_value("name", 2).over(window().order_by("id")), &["NULL", "Grace", "Grace"]),
        (sum("a").over(window().order_by("id")), &["1", "4", "4"]),
        (sum("id").over(window().order_by("id").rows(Bound::Preceding(1), Bound::CurrentRow)), &["1", "3", "5"]),
        (
            sum("id").over(window().order_by("id").rows(Bound::Following(1), Bound::UnboundedFollowing)),
            &["5", "3", "NULL"],
        ),
        (sum("id").over(window().order_by("id").range(Bound::Preceding(1), Bound::Following(1))), &["3", "6", "5"]),
        (
            sum("id").over(window().order_by(col("id").desc()).range(Bound::Preceding(1), Bound::CurrentRow)),
            &["3", "5", "3"],
        ),
        (sum("id").over(window().order_by("role").groups(Bound::CurrentRow, Bound::CurrentRow)), &["3", "3", "3"]),
        (sum("id").over(window()), &["6", "6", "6"]),
        (count_all().filter_where(col("a").gt(1)).over(window()), &["1", "1", "1"]),
        (row_number().over(window().order_by(col("a").asc().nulls_last())), &["1", "2", "3"]),
        (row_number().over(window().order_by(col("a").asc().nulls_first())), &["2", "3", "1"]),
        (row_number().over(window().order_by(col("a").desc().nulls_last())), &["2", "1", "3"]),
        (row_number().over(window().order_by(col("a").desc().nulls_first())), &["3", "2", "1"]),
        (string_agg("name", ",").over(window().order_by("id")), &["Ada", "Ada,Grace", "Ada,Grace,Lin"]),
    ];
    for (expr, expected) in over {
        answers.ask(c, &one(expr).order_by("id"), expected, shortest).await;
    }
    let orders: Vec<(Order, &[&str])> = vec![
        (col("a").asc().nulls_last(), &["1", "2", "3"]),
        (col("a").asc().nulls_first(), &["3", "1", "2"]),
        (col("a").desc().nulls_last(), &["2", "1", "3"]),
        (col("a").desc().nulls_first(), &["3", "2", "1"]),
    ];
    for (order, expected) in orders {
        answers.ask(c, &select().column("id").from("users").order_by(order.clone()), expected, as_it_is).await;
        let united = select()
            .columns(["id", "a"])
            .from("users")
            .union(select().columns(["id", "a"]).from("users"))
            .order_by(order.clone())
            .alias("u");
        answers.ask(c, &select().column(count_all()).from(united), &["3"], as_it_is).await;
        let backwards: Vec<&str> = expected.iter().rev().copied().collect();
        answers.ask(c, &select().column("id").from("users").order_by(order).reversed(), &backwards, as_it_is).await;
    }
    for (query, expected) in [
        (select().column("role").from("users").group_by("role").having(count_all().ge(1)).to_count(), "2"),
        (select().from("users").limit(2).to_count(), "2"),
        (select().from("users").offset(1).to_count(), "2"),
        (select().column("id").from("users").order_by_desc("id").limit(2).to_aggregated(sum("id")), "5"),
        (select().distinct().column("role").from("users").to_aggregated(count_all()), "2"),
        (select().from("users").filter(col("id").gt(5)).to_exists(), "0"),
        (select().from("users").limit(1).to_exists(), "1"),
        (select().column(max("id")).from("users").filter(col("id").gt(5)).to_exists(), "1"),
    ] {
        answers.ask(c, &query, &[expected], as_it_is).await;
    }
    answers.end(c);
}
