//! What changes leave behind.

use super::answers::*;
use dbkeep_engine::Connection;
use dbkeep_sql::*;

crate::on_each_engine! {
    columns_are_set_from_the_row_as_it_was
}

/// Runs a change where the engine knows it, asks what is there now, and takes the change back.
async fn change(
    c: &mut Connection,
    answers: &mut Answers,
    change: &dyn Compile,
    query: &Select,
    expected: &[&str],
) -> bool {
    let compiled = match change.compile(&*c.dialect()) {
        Ok(compiled) => compiled,
        Err(error) => {
            assert!(error.unsupported().is_some(), "{error}");
            return false;
        }
    };
    c.execute("BEGIN", &[]).await.unwrap();
    match c.execute(&compiled.sql, &compiled.params).await {
        Ok(_) => answers.ask(c, query, expected, as_it_is).await,
        Err(error) => answers.wrong.push(format!("failed: {error}: {}", compiled.sql)),
    }
    c.execute("ROLLBACK", &[]).await.unwrap();
    true
}

async fn columns_are_set_from_the_row_as_it_was(connection: &mut Connection) {
    let c = connection;
    let mut answers = Answers::default();
    // Of Ada: a is 1, b is 2, c is 3.
    let ada = || update("users").filter(col("id").eq(1));
    let query = select().columns(["a", "b", "c"]).from("users").filter(col("id").eq(1));
    let changes: Vec<(Update, &str)> = vec![
        (ada().set("a", col("b") + 1).set("b", 10), "3 10 3"),
        (ada().set("b", 10).set("a", col("b") + 1), "3 10 3"),
        (ada().set("a", col("a") + 1).set("b", col("a")).set("c", col("users.b") * 10), "2 1 20"),
        (ada().set("c", 7).set("a", 8).set("b", case().when(col("a").is_null(), col("c")).otherwise(9)), "8 9 7"),
    ];
    for (update, expected) in changes {
        assert!(change(c, &mut answers, &update, &query, &[expected]).await, "an order of setting was there");
    }
    let swap = ada().set("a", col("b")).set("b", col("a"));
    let is_swapped = change(c, &mut answers, &swap, &query, &["2 1 3"]).await;
    assert_eq!(is_swapped, !c.dialect().sets_one_by_one());

    // In an upsert, too.
    let new = || insert_into("orders").columns(["id", "user_id", "amount"]).row(params![1, 5, 7]);
    let counted = new().upsert_set(["id"], [("user_id", 9.into()), ("amount", col("user_id") * 100)]);
    let query = select().column("user_id").column(col("amount").cast(CastType::Integer)).from("orders");
    let query = query.filter(col("id").eq(1));
    assert!(change(c, &mut answers, &counted, &query, &["9 100"]).await);
    answers.end(c);
}
